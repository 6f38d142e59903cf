// Who is calling, once per request: the token of the Authorization header becomes an identity, or the request ends here.
import assert from 'node:assert/strict';
import type { Context, Middleware } from 'koa';
import { bearerToken, type Identity, isTokenFault, type TokenVerifier } from './auth.ts';
import { Problem } from './http-app.ts';

/** Refuses requests without a usable token with token_missing, token_invalid or token_expired. */
export function authenticate(tokens: TokenVerifier): Middleware {
  return (context, next) => {
    const identity = tokens.verify(bearerToken(context.get('authorization')));
    if (isTokenFault(identity)) throw new Problem(identity.fault);
    identities.set(context.state, identity);
    return next();
  };
}

/** The caller of a request that passed `authenticate`; asking for it on any other route is a bug. */
export function identityOf(context: Pick<Context, 'state'>): Identity {
  const identity = identities.get(context.state);
  assert(identity !== undefined, 'the route is not behind authenticate()');
  return identity;
}

/** Beside the request's state instead of in it, where any middleware could put anything under the same name. */
const identities = new WeakMap<object, Identity>();
