// /internal/v1: where our other processes hand in commands, with the identity of users that they have checked, and ask who owns which
// partition. Never for the public: it asks for the service token, and the gateway does not pass it on.
import type { Context, Middleware } from 'koa';
import { bearerToken } from '../../platform/auth.ts';
import { Problem } from '../../platform/http-app.ts';
import { isServiceToken, serviceToken } from '../../platform/service-token.ts';
import { parseRequest } from '../../schemas/requests.ts';
import {
  CommandsRequest,
  HOPS_HEADER,
  INTERNAL_COMMANDS_PATH,
  INTERNAL_COMMANDS_PURPOSE,
  INTERNAL_OWNERS_PATH,
  MAX_HOPS,
  OWNERS_VERSION_HEADER,
} from '../client/command-wire.ts';
import type { CommandRouter } from '../command-router.ts';
import { orProblem } from './caller.ts';

type Handler = { method: string; handle: (context: Context) => Promise<void> | void };

export function internalRoutes({ router, secret }: { router: CommandRouter; secret: string }): Middleware {
  const expected = serviceToken(secret, INTERNAL_COMMANDS_PURPOSE);
  const handlers: Readonly<Record<string, Handler>> = {
    [INTERNAL_COMMANDS_PATH]: { method: 'POST', handle: (context) => executeAll(context, router) },
    [INTERNAL_OWNERS_PATH]: {
      method: 'GET',
      handle: (context) => {
        context.body = router.owners;
      },
    },
  };
  return async (context, next) => {
    const handler = Object.hasOwn(handlers, context.path) ? handlers[context.path] : undefined;
    if (handler === undefined) return next();
    if (context.method !== handler.method) throw new Problem('method_not_allowed');
    const token = bearerToken(context.get('authorization'));
    if (!isServiceToken(token, expected)) throw new Problem(token === undefined ? 'token_missing' : 'token_invalid');
    await handler.handle(context);
  };
}

async function executeAll(context: Context, router: CommandRouter): Promise<void> {
  const request = orProblem(parseRequest(CommandsRequest, context.request.body));
  const hops = hopsOf(context.get(HOPS_HEADER));
  // Called one after the other in one turn: the commands of a room are taken in the order in which they stand here.
  const answers = await Promise.all(request.commands.map((command) => router.executeAfter(command, hops)));
  context.set(OWNERS_VERSION_HEADER, router.owners.version);
  context.body = { answers };
}

/** A number that is none counts as the most: such a request is answered and goes no further. */
function hopsOf(header: string): number {
  if (header === '') return 0;
  return /^\d$/.test(header) ? Math.min(Number(header), MAX_HOPS) : MAX_HOPS;
}
