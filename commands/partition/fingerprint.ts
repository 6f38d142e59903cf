// What a commandId was used for, as a number: enough to notice that it is used for something else the second time. Two
// different contents share one once in four thousand million times; then the second is answered like a repetition.
import type { CommandBody, CommandType } from '../../schemas/commands.ts';
import type { ChatEvent, EventType } from '../../schemas/generated/events.ts';

/** Equal for a command and for the event that it led to. */
export function fingerprintOfCommand(body: CommandBody): number {
  if (body.type === 'SendMessage') return fingerprintOfMessage(body.text, body.replyTo);
  if (body.type === 'CreateRoom') return hash(CODE_OF_COMMAND.CreateRoom, body.name);
  return CODE_OF_COMMAND[body.type];
}

export function fingerprintOfEvent(event: ChatEvent): number {
  if (event.type === 'MessageSent') return fingerprintOfMessage(event.text, event.replyTo);
  if (event.type === 'RoomCreated') return hash(CODE_OF_EVENT.RoomCreated, event.name);
  return CODE_OF_EVENT[event.type];
}

const CODE_OF_COMMAND = {
  CreateRoom: 1,
  ChangeRoomDetails: 2,
  ArchiveRoom: 3,
  InviteMember: 4,
  JoinRoom: 5,
  LeaveRoom: 6,
  SendMessage: 7,
} as const satisfies Record<CommandType, number>;

const CODE_OF_EVENT = {
  RoomCreated: CODE_OF_COMMAND.CreateRoom,
  RoomDetailsEdited: CODE_OF_COMMAND.ChangeRoomDetails,
  RoomArchived: CODE_OF_COMMAND.ArchiveRoom,
  MemberInvited: CODE_OF_COMMAND.InviteMember,
  MemberJoined: CODE_OF_COMMAND.JoinRoom,
  MemberLeft: CODE_OF_COMMAND.LeaveRoom,
  MessageSent: CODE_OF_COMMAND.SendMessage,
} as const satisfies Record<EventType, number>;

function fingerprintOfMessage(text: string, replyTo: string | null): number {
  const start = hash(CODE_OF_COMMAND.SendMessage, text);
  return replyTo === null ? start : hash(start, replyTo);
}

/** FNV-1a over the code units. */
function hash(start: number, text: string): number {
  let value = 0x811c9dc5 ^ start;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value >>> 0;
}
