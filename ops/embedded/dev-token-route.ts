// Logs demo users in without a password: for the page and for trying things out on one's own machine. It is mounted only where
// the process made its token secret itself, and it answers only callers on the same machine, for it gives a token to whoever asks.
import type { Middleware } from 'koa';
import { signToken } from '../../platform/auth.ts';
import { Problem } from '../../platform/http-app.ts';
import { createRateLimit } from '../../platform/rate-limit.ts';
import { isRejection } from '../../schemas/rejections.ts';
import { DevTokenRequest, parseRequest } from '../../schemas/requests.ts';
import { REST_OPERATIONS, type RestAnswer } from '../../schemas/rest-operations.ts';

export type DevTokenDeps = { secret: string; now: () => number };

const PATH = REST_OPERATIONS.giveDevToken.path;
const TOKEN_SECONDS = 24 * 3_600;
/** Of all callers together; they are all on this machine. */
const LIMIT = { perSecond: 10, burst: 50, keyPrefix: 'dev-token' };
/** `POST /api/v1/dev/token {username}` → `201 {token, userId, username, expiresAt}`; the user id is the name. */
export function devTokenRoute({ secret, now }: DevTokenDeps): Middleware {
  const rateLimit = createRateLimit(LIMIT);
  return async (context, next) => {
    if (context.path !== PATH || !isLoopback(context.req.socket.remoteAddress)) return next();
    if (context.method !== 'POST') throw new Problem('method_not_allowed');
    const limited = await rateLimit.consume('all');
    if (limited !== null) throw new Problem('rate_limited', limited);
    const body = parseRequest(DevTokenRequest, context.request.body);
    if (isRejection(body)) throw new Problem(body.rejected, { detail: body.detail });
    const { username } = body;
    context.status = 201;
    context.body = {
      token: signToken({ userId: username, username }, secret, TOKEN_SECONDS),
      userId: username,
      username,
      expiresAt: new Date(now() + TOKEN_SECONDS * 1_000).toISOString(),
    } satisfies RestAnswer<'giveDevToken'>;
  };
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(::ffff:)?127\.|^::1$/.test(address);
}
