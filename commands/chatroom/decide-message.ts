// Decisions about messages. What is wrong with a text in every room alike is checked by decide.ts before.
import { type Command, type SendMessage, subjectOf } from '../../schemas/commands.ts';
import { type Rejection, reject } from '../../schemas/rejections.ts';
import type { NewEvent } from './new-event.ts';
import type { RoomState } from './state.ts';

export function decideSend(command: Command, body: SendMessage, state: RoomState): readonly NewEvent[] | Rejection {
  if (state.status === 'none') return reject('room_not_found');
  if (!state.members.has(subjectOf(command).userId)) return reject('not_a_member');
  if (state.status === 'archived') return reject('room_archived');
  const { messageId, text, replyTo, originalTime } = body;
  return [{ type: 'MessageSent', roomId: state.roomId, messageId, text, replyTo, originalTime }];
}
