// GET /api/v1/chatroom/{id}/events: a room's events as Server-Sent Events, for clients that can have no socket.
import Router from '@koa/router';
import type { TokenVerifier } from '../../platform/auth.ts';
import { authenticate, identityOf } from '../../platform/authenticate.ts';
import { Problem } from '../../platform/http-app.ts';
import { EventStreamRequest } from '../../schemas/queries.ts';
import { isRejection, type Rejection } from '../../schemas/rejections.ts';
import { parseRequest } from '../../schemas/requests.ts';
import type { SseGateway } from './sse-gateway.ts';

export function createSseRoute(verifier: TokenVerifier, gateway: SseGateway): Router {
  const router = new Router({ prefix: '/api/v1/chatroom' });
  router.get('/:id/events', authenticate(verifier), async (context) => {
    // The router takes HEAD for GET, and a stream has no head alone.
    if (context.method !== 'GET') throw new Problem('method_not_allowed');
    const lastEventId = context.get('last-event-id');
    const request = parseRequest(EventStreamRequest, {
      ...context.query,
      roomId: context.params.id,
      ...(lastEventId === '' ? {} : { lastEventId }),
    });
    if (isRejection(request)) throw toProblem(request);
    const { req, res: response } = context;
    // Behind an earlier request of the same connection that has no answer yet, which is not how browsers speak to servers.
    if (response.socket !== req.socket)
      throw new Problem('invalid_request', { detail: 'a stream needs its own connection' });
    const refusal = await gateway.open({
      identity: identityOf(context),
      roomId: request.roomId,
      after: request.lastEventId ?? request.after,
      reset: request.reset ?? false,
      response,
      socket: req.socket,
    });
    if (refusal) throw toProblem(refusal);
    context.respond = false;
  });
  return router;
}

function toProblem({ rejected, detail, retryAfterMs }: Rejection): Problem {
  return new Problem(rejected, { detail, retryAfterMs });
}
