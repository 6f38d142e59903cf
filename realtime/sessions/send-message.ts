// A send-message frame as a command, and the command's acceptance as an answer.

import type { z } from 'zod';
import { messageIdFor } from '../../commands/client/message-id.ts';
import type { Identity } from '../../platform/auth.ts';
import type { Ids } from '../../platform/ids.ts';
import type { ClientFrameAnswer } from '../../schemas/client-frames.ts';
import type { Accepted, Command } from '../../schemas/commands.ts';
import { type Rejection, reject } from '../../schemas/rejections.ts';
import type { SendMessageFrame } from '../../schemas/requests.ts';
import { toTimestamp } from '../../schemas/views.ts';
import type { CLIENT_FRAMES } from '../../schemas/wire.ts';

type SendMessageData = z.output<typeof SendMessageFrame>;

/** The command, or operator_only where somebody else acts for another. */
export function frameToCommand(
  data: SendMessageData,
  identity: Identity,
  deps: { ids: Ids; now: () => number },
): Command | Rejection {
  if (data.onBehalfOf && !identity.isOperator) return reject('operator_only');
  const actor = { userId: identity.userId, username: identity.username };
  const onBehalfOf = data.onBehalfOf ?? null;
  const { roomId, commandId } = data;
  return {
    body: {
      type: 'SendMessage',
      roomId,
      messageId: messageIdFor({ roomId, userId: (onBehalfOf ?? actor).userId, commandId }, deps.ids),
      text: data.message,
      replyTo: data.replyTo ?? null,
      originalTime: data.originalTime ? Date.parse(data.originalTime) : null,
    },
    actor,
    onBehalfOf,
    isOperator: identity.isOperator,
    commandId: commandId ?? deps.ids.next(),
    correlationId: deps.ids.next(),
    now: deps.now(),
  };
}

/** The whole message comes as receive-message; the answer has what the sender cannot know by itself. */
export function acceptedToAnswer(
  accepted: Accepted,
  commandId: string,
): ClientFrameAnswer<typeof CLIENT_FRAMES.sendMessage> {
  const { id, roomId, version, position, occurredAt } = accepted;
  return { message: { id, roomId, version, timestamp: toTimestamp(occurredAt), commandId }, position };
}
