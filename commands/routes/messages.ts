// POST /api/v1/messages.
import Router from '@koa/router';
import type { Middleware } from 'koa';
import { type Accepted, type SendMessage, streamOfRoom, subjectOf } from '../../schemas/commands.ts';
import { parseRequest, SendMessageRequest } from '../../schemas/requests.ts';
import type { RestAnswer } from '../../schemas/rest-operations.ts';
import { messageView } from '../../schemas/views.ts';
import type { MessageView } from '../../schemas/wire.ts';
import { messageIdFor } from '../client/message-id.ts';
import { type Caller, callerOf, mustExecute, orProblem, type RouteDeps } from './caller.ts';

/** `before` is what every request passes first: authentication and the rate limit. */
export function createMessageRoutes(before: Middleware[], deps: RouteDeps): Router {
  const router = new Router({ prefix: '/api/v1/messages' });
  router.use(...before);

  router.post('/', async (context) => {
    const request = orProblem(parseRequest(SendMessageRequest, context.request.body));
    const { chatroomId: roomId, commandId } = request;
    const caller = callerOf(context, request, deps);
    const body: SendMessage = {
      type: 'SendMessage',
      roomId,
      messageId: messageIdFor({ roomId, userId: subjectOf(caller).userId, commandId }, deps.ids),
      text: request.message,
      replyTo: request.replyTo ?? null,
      originalTime: request.originalTime ? Date.parse(request.originalTime) : null,
    };
    const accepted = await mustExecute({ ...caller, body }, deps);
    context.status = 201;
    const message = sentMessageView(caller, body, accepted);
    context.body = { message, position: accepted.position } satisfies RestAnswer<'sendMessage'>;
  });

  return router;
}

/** The message as every reader sees it: the view of the event that the acceptance stands for, also of a repeated request. */
function sentMessageView(caller: Caller, body: SendMessage, accepted: Accepted): MessageView {
  const { actor, onBehalfOf, commandId, correlationId } = caller;
  const { roomId, id: messageId, version, occurredAt } = accepted;
  const stream = streamOfRoom(roomId);
  return messageView({
    type: 'MessageSent',
    roomId,
    messageId,
    text: body.text,
    replyTo: body.replyTo,
    originalTime: body.originalTime,
    metadata: { eventId: '', stream, version, actor, onBehalfOf, occurredAt, commandId, correlationId },
  });
}
