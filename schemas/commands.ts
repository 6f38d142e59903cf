// Commands as they travel between roles: what is wished, and who wishes it. Everything a decision needs is inside, because
// decisions know no clock and make no ids.
import type { Actor } from './generated/events.ts';

export type CreateRoom = {
  type: 'CreateRoom';
  roomId: string;
  spaceId: string;
  name: string;
  description: string;
  isPrivate: boolean;
};
export type ChangeRoomDetails = { type: 'ChangeRoomDetails'; roomId: string; name?: string; description?: string };
export type ArchiveRoom = { type: 'ArchiveRoom'; roomId: string };
export type InviteMember = { type: 'InviteMember'; roomId: string; userId: string };
export type JoinRoom = { type: 'JoinRoom'; roomId: string };
export type LeaveRoom = { type: 'LeaveRoom'; roomId: string };
export type SendMessage = {
  type: 'SendMessage';
  roomId: string;
  /** UUIDv7 made where the command was accepted; a repeated command is answered with the first one's. */
  messageId: string;
  text: string;
  replyTo: string | null;
  originalTime: number | null;
};

export type CommandBody =
  | CreateRoom
  | ChangeRoomDetails
  | ArchiveRoom
  | InviteMember
  | JoinRoom
  | LeaveRoom
  | SendMessage;
export type CommandType = CommandBody['type'];

export type Command = {
  body: CommandBody;
  /** The bearer of the token. */
  actor: Actor;
  /** Whom an operator acts for; null for everybody else. */
  onBehalfOf: Actor | null;
  /** Whether the token has the operator's role: who has it may do what a room's owner may. */
  isOperator: boolean;
  commandId: string;
  correlationId: string;
  /** Milliseconds since 1970 UTC, by the clock of the node that took the command. */
  now: number;
};

/** The answer to an accepted command. A command that had nothing to do (joining twice) has `changed: false`. */
export type Accepted = {
  roomId: string;
  /** Id of what was made: the message's, else the room's. */
  id: string;
  /** The stream's version after the command. */
  version: number;
  /** `<partition>-<offset>` of the command's last event in the log. */
  position: string;
  /** Milliseconds since 1970 UTC: when the event happened (a repeated command: when it first did). */
  occurredAt: number;
  changed: boolean;
};

/** The user an action counts for: the one acted for, else the bearer of the token. */
export function subjectOf(who: { actor: Actor; onBehalfOf: Actor | null }): Actor {
  return who.onBehalfOf ?? who.actor;
}

export function streamOfRoom(roomId: string): string {
  return `room-${roomId}`;
}

export function positionOf(partition: number, offset: number): string {
  return `${partition}-${offset}`;
}

/** The partition and offset of a position, or null where the text is not one. */
export function parsePosition(position: string): { partition: number; offset: number } | null {
  const match = /^(\d{1,5})-(\d{1,15})$/.exec(position);
  return match ? { partition: Number(match[1]), offset: Number(match[2]) } : null;
}
