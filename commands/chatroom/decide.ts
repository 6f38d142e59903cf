// THE DECISIONS: what a command leads to in a room. Pure: time, ids and who is asking come in the command, and a refusal is a
// value. The rules stand in docs/spec/commands.md.
import type { Command } from '../../schemas/commands.ts';
import { isRejection, type Rejection, reject } from '../../schemas/rejections.ts';
import { checkMessageText } from '../../schemas/requests.ts';
import { decideInvite, decideJoin, decideLeave } from './decide-membership.ts';
import { decideSend } from './decide-message.ts';
import { decideArchive, decideChangeDetails, decideCreate } from './decide-room.ts';
import type { NewEvent } from './new-event.ts';
import type { RoomState } from './state.ts';

/** Nothing to do (joining twice) is an empty list, not a refusal. */
export type Decision = readonly NewEvent[] | Rejection;

export function decide(command: Command, state: RoomState): Decision {
  const refusal = checkCommand(command);
  if (refusal) return refusal;
  const { body } = command;
  switch (body.type) {
    case 'CreateRoom':
      return decideCreate(body, state);
    case 'ChangeRoomDetails':
      return decideChangeDetails(command, body, state);
    case 'ArchiveRoom':
      return decideArchive(command, state);
    case 'InviteMember':
      return decideInvite(command, body, state);
    case 'JoinRoom':
      return decideJoin(command, state);
    case 'LeaveRoom':
      return decideLeave(command, state);
    case 'SendMessage':
      return decideSend(command, body, state);
  }
}

/** What refuses a command in every room alike, so that it need not wait for one. */
export function checkCommand({ body, isOperator, onBehalfOf }: Command): Rejection | null {
  if (onBehalfOf !== null && !isOperator) return reject('operator_only', 'onBehalfOf is for operators');
  if (body.type !== 'SendMessage') return null;
  if (body.originalTime !== null && !isOperator) return reject('operator_only', 'originalTime is for operators');
  return checkMessageText(body.text) ?? checkReplyTo(body.replyTo);
}

export function isRefused(decision: Decision): decision is Rejection {
  return isRejection(decision);
}

/**
 * Whether the message answered is one of this room cannot be asked here: the state would have to hold the id of every message
 * ever sent. Clients show a reply to nothing as a plain message.
 */
function checkReplyTo(replyTo: string | null): Rejection | null {
  return replyTo === null || MESSAGE_ID.test(replyTo) ? null : reject('reply_to_unknown');
}

/** Message ids are UUIDs, always: derived from the command or made by the node. */
const MESSAGE_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
