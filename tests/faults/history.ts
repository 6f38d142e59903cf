// What a fault run saw, in the order in which it saw it: what clients asked for and were told, every frame that reached them, and
// what was broken meanwhile. All clients live in one process, so one clock (`at`, milliseconds) and one order cover all of them.
// One JSON line an entry in a file, so that a run can be looked at, and checked again, after it.
import type { CommandType } from '../../schemas/commands.ts';

export type Via = 'rest' | 'ws' | 'socket-io';

/** One attempt at a command. A repeated attempt has the same commandId and another `attempt`. */
export type Invoked = {
  kind: 'invoked';
  at: number;
  /** Unique in the run. */
  attempt: number;
  client: string;
  userId: string;
  via: Via;
  type: CommandType;
  /** '' for CreateRoom, whose room id follows in its answer. */
  roomId: string;
  commandId: string;
  /** Of a SendMessage: unique in the run. */
  text?: string;
  /** Whom a membership command is about, where that is not the sender. */
  aboutUserId?: string;
};
export type Accepted = {
  kind: 'accepted';
  at: number;
  attempt: number;
  roomId: string;
  /** Of the message; the room's for every other command. */
  id: string;
  /** Null where the answer does not say. */
  version: number | null;
  /** `<partition>-<offset>` of the command's last event; where `changed` is false, of whatever the room's last event was. */
  position: string;
  /** False: accepted, and there was nothing to do. */
  changed: boolean;
};
/** A definite no: the command was not done, and never will be by this attempt. */
export type Refused = { kind: 'refused'; at: number; attempt: number; code: string };
/** Nobody knows: no answer, a broken connection, or an answer that says so (log_unavailable, internal). */
export type Lost = { kind: 'lost'; at: number; attempt: number; reason: string };

/** A socket. `socketId` is unique in the run: one that comes back is another one. */
export type Connected = { kind: 'connected'; at: number; socketId: string; userId: string; via: 'ws' | 'socket-io' };
export type Disconnected = { kind: 'disconnected'; at: number; socketId: string; reason: string };
/** join-room was sent. `after` null: from the newest messages on. */
export type Joining = { kind: 'joining'; at: number; socketId: string; roomId: string; after: number | null };
/** Its answer. Everything up to `version` has reached the socket before it, by recent-messages or by frames. */
export type Joined = { kind: 'joined'; at: number; socketId: string; roomId: string; version: number };
export type JoinRefused = { kind: 'join-refused'; at: number; socketId: string; roomId: string; code: string };
/** leave-room was answered. */
export type LeftRoom = { kind: 'left-room'; at: number; socketId: string; roomId: string };
/** Any other frame that reached the socket, whole. */
export type Received = { kind: 'received'; at: number; socketId: string; event: string; data: unknown };

/** Something was broken (`phase` begin) or put right (end). */
export type Fault = { kind: 'fault'; at: number; fault: string; target: string; phase: 'begin' | 'end' };

export type HistoryEntry =
  | Invoked
  | Accepted
  | Refused
  | Lost
  | Connected
  | Disconnected
  | Joining
  | Joined
  | JoinRefused
  | LeftRoom
  | Received
  | Fault;
