/* What reached every socket. One that has joined a room gets each version once and in order, as the log has it, from where it
 * asked for on; nothing before it asked, nothing after it left or its user did; and one that stays to the quiet end has all.
 *
 * A client asks one thing of a room at a time on one socket: it waits for the answer before it joins or leaves again. The answer
 * may be noted a little later than the frames that came right behind it, because a client waits for answers and is called for
 * frames. So between a question and its answer more is allowed than outside of it, and never less is asked for.
 */
import { isDeepStrictEqual } from 'node:util';
import { LIMITS } from '../../schemas/limits.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { expectedFrame, expectedMessage } from './expected-frames.ts';
import { explainRefusal } from './explain-answers.ts';
import { type FoldedLog, type FoldedRoom, isMemberAt, lastVisibleVersion, newestMessages } from './folded-log.ts';
import type { HistoryEntry, Joined, Joining, JoinRefused, LeftRoom, Received } from './history.ts';
import type { SeenVersions } from './seen-versions.ts';
import type { Check, Violations } from './violations.ts';

export type SocketCounts = { sockets: number; frames: number };

/** A join-room without an answer yet. `hasBegun`: its first frame came. `isUnsure`: the room failed meanwhile. */
type Question = { after: number | null; seen: number; hasBegun: boolean; isUnsure: boolean };
type Seat = {
  /** `maybe`: a repeated join was refused, which ends some joins and leaves others as they were. */
  isIn: 'yes' | 'no' | 'maybe';
  /** The newest version that came; null where the next frame need not follow on anything. */
  last: number | null;
  question: Question | null;
  /** The version of the last frame that said that the user has left. */
  userLeft: number;
};
type Socket = { userId: string; seats: Map<string, Seat> };

export class SocketCheck {
  readonly counts: SocketCounts = { sockets: 0, frames: 0 };
  readonly #log: FoldedLog;
  readonly #seen: SeenVersions;
  readonly #violations: Violations;
  readonly #sockets = new Map<string, Socket>();

  constructor(log: FoldedLog, seen: SeenVersions, violations: Violations) {
    this.#log = log;
    this.#seen = seen;
    this.#violations = violations;
  }

  /** Takes the next entry of the history; those that are none of its business change nothing. */
  see(entry: HistoryEntry): void {
    if (entry.kind === 'connected') {
      this.counts.sockets += 1;
      this.#sockets.set(entry.socketId, { userId: entry.userId, seats: new Map() });
    } else if (entry.kind === 'disconnected') {
      this.#sockets.delete(entry.socketId);
    } else if (entry.kind === 'received') {
      this.counts.frames += 1;
      this.#received(entry);
    } else if ('socketId' in entry) {
      this.#answered(entry);
    }
  }

  /** After the last entry. */
  finish(): void {
    for (const [socketId, { userId, seats }] of this.#sockets) {
      for (const [roomId, { isIn, last, question }] of seats) {
        const end = this.#log.rooms.get(roomId)?.events.length ?? 0;
        if (isIn !== 'yes' || question !== null || last === end) continue;
        const details = { socketId, userId, roomId, last, end };
        this.#violations.add('delivery', 'a socket that stayed did not get everything', details);
      }
    }
  }

  #answered(entry: Joining | Joined | JoinRefused | LeftRoom): void {
    const { roomId } = entry;
    const socket = this.#sockets.get(entry.socketId);
    if (socket === undefined) {
      this.#violations.add('history', 'a socket that is not connected', { ...entry });
      return;
    }
    const seat = seatOf(socket, roomId);
    const { question } = seat;
    if (entry.kind === 'joining') {
      if (question !== null) this.#violations.add('history', 'a join before the last one was answered', { ...entry });
      seat.question = { after: entry.after, seen: this.#seen.of(roomId), hasBegun: false, isUnsure: false };
    } else if (entry.kind === 'left-room') {
      takeOut(seat);
    } else if (question === null) {
      this.#violations.add('history', 'an answer without a join', { ...entry });
    } else {
      seat.question = null;
      if (entry.kind === 'joined') this.#joined(socket, seat, question, entry);
      else this.#joinRefused(socket, seat, question, entry);
    }
  }

  #joined(socket: Socket, seat: Seat, question: Question, entry: Joined): void {
    const { roomId, version } = entry;
    const room = this.#log.rooms.get(roomId);
    const tell = this.#teller(entry.socketId, socket, seat, { roomId, version, after: question.after });
    if (room === undefined || version > room.events.length) {
      tell('frames', 'a socket joined at a version that is not in the log');
      return;
    }
    this.#seen.saw(roomId, version);
    if (!isMemberAt(room, socket.userId, version)) tell('access', 'a socket joined whose user was no member');
    if (question.after === null && !question.hasBegun) tell('delivery', 'a socket joined without recent messages');
    if (seat.last === null) seat.last = question.after;
    if ((seat.last ?? 0) < version) {
      tell('delivery', 'a socket had not got everything when it was told that it joined');
      seat.last = version;
    }
    if (seat.userLeft > version) takeOut(seat);
    else seat.isIn = question.isUnsure ? 'maybe' : 'yes';
  }

  #joinRefused(socket: Socket, seat: Seat, question: Question, entry: JoinRefused): void {
    const { roomId, code } = entry;
    const tell = this.#teller(entry.socketId, socket, seat, { roomId, code, ...question });
    const asked = { roomId, type: 'JoinRoom', userId: socket.userId } as const;
    const fault = explainRefusal(asked, code, this.#log.rooms.get(roomId), question.seen);
    if (fault !== null) tell('access', fault);
    if (code === 'version_ahead' && (question.after ?? 0) <= question.seen) tell('delivery', 'a node was behind');
    if (seat.isIn === 'yes') seat.isIn = 'maybe';
    if (seat.isIn === 'no') takeOut(seat);
  }

  #received({ socketId, event, data }: Received): void {
    const socket = this.#sockets.get(socketId);
    if (socket === undefined) {
      this.#violations.add('history', 'a frame of a socket that is not connected', { socketId, event });
      return;
    }
    const { roomId, version } = placeOf(data);
    if (roomId === null) return;
    const seat = seatOf(socket, roomId);
    const tell = this.#teller(socketId, socket, seat, { event, roomId, version });
    if (event === SERVER_FRAMES.error) {
      if (seat.question !== null) seat.question.isUnsure = true;
      takeOut(seat);
    } else if (seat.isIn === 'no' && seat.question === null) {
      tell('access', 'a frame of a room that the socket has not joined');
    } else if (event === SERVER_FRAMES.heartbeat) {
      // What has reached the socket of a room that it goes on in after a version it had: that version, until more comes.
      const reached = seat.last ?? seat.question?.after ?? null;
      if (version !== reached) tell('delivery', 'a heartbeat says another version than has reached the socket');
    } else if (version !== null) {
      const room = this.#log.rooms.get(roomId);
      if (room === undefined || version < 1 || version > room.events.length) {
        tell('frames', 'a frame of an event that is not in the log');
      } else if (event === SERVER_FRAMES.recentMessages) this.#recentMessages(room, socket, seat, version, data, tell);
      else this.#eventFrame(room, socket, seat, version, { event, data }, tell);
    }
  }

  #recentMessages(room: FoldedRoom, socket: Socket, seat: Seat, version: number, data: unknown, tell: Teller): void {
    const { newest } = newestMessages(room, version, LIMITS.pageMessages);
    const expected = { roomId: room.roomId, messages: newest.map(expectedMessage), version };
    if (!isDeepStrictEqual(data, expected)) tell('frames', 'recent messages are not those of the log');
    else this.#seen.saw(room.roomId, version);
    if (!isMemberAt(room, socket.userId, version)) tell('access', 'recent messages were sent to who is no member');
    const { question } = seat;
    if (question === null || question.after !== null || question.hasBegun) {
      tell('access', 'recent messages were sent unasked');
    } else question.hasBegun = true;
    const isOn = seat.isIn === 'yes' ? version === seat.last : version >= (seat.last ?? 0);
    if (!isOn) tell('delivery', 'recent messages do not go on where the socket was');
    seat.last = version;
  }

  #eventFrame(
    room: FoldedRoom,
    { userId }: Socket,
    seat: Seat,
    version: number,
    frame: { event: string; data: unknown },
    tell: Teller,
  ): void {
    const logged = room.events[version - 1]?.event;
    if (logged === undefined || !isDeepStrictEqual(frame, expectedFrame(logged))) {
      tell('frames', 'a frame is not what the log holds at its version');
    } else this.#seen.saw(room.roomId, version);
    const isOwnLeaving = logged?.type === 'MemberLeft' && logged.userId === userId;
    const maySee =
      seat.question !== null
        ? version <= lastVisibleVersion(room, userId)
        : isOwnLeaving || isMemberAt(room, userId, version);
    if (!maySee) tell('access', 'an event reached who was no member');
    this.#goOn(seat, version, tell);
    if (!isOwnLeaving) return;
    seat.userLeft = version;
    // With a question open this may be the past that it asked for.
    if (seat.question === null) takeOut(seat);
    else seat.isIn = 'no';
  }

  /** The next version has to be the one after the last, or the first one that was asked for. */
  #goOn(seat: Seat, version: number, tell: Teller): void {
    const { question, last } = seat;
    if (last !== null && version === last + 1 && (seat.isIn !== 'no' || question?.hasBegun === true)) {
      seat.last = version;
    } else if (question !== null && !question.hasBegun && question.after === version - 1) {
      question.hasBegun = true;
      seat.last = version;
    } else if (last !== null && version <= last) {
      tell('delivery', 'a version came again, or too late');
    } else {
      tell('delivery', 'a version is missing');
      seat.last = version;
    }
  }

  #teller(socketId: string, { userId }: Socket, seat: Seat, details: Record<string, unknown>): Teller {
    return (check, message) => {
      const { isIn, last } = seat;
      this.#violations.add(check, message, { socketId, userId, isIn, last, ...details });
    };
  }
}

/** With a question under way, what came of it still counts when its answer comes. */
function takeOut(seat: Seat): void {
  seat.isIn = 'no';
  if (seat.question?.hasBegun !== true) seat.last = null;
}

type Teller = (check: Check, message: string) => void;

function seatOf(socket: Socket, roomId: string): Seat {
  const seat = socket.seats.get(roomId) ?? { isIn: 'no', last: null, question: null, userLeft: 0 };
  socket.seats.set(roomId, seat);
  return seat;
}

/** Which room a frame is of, and which version: null where it does not say. */
function placeOf(data: unknown): { roomId: string | null; version: number | null } {
  if (typeof data !== 'object' || data === null) return { roomId: null, version: null };
  const { roomId, version } = data as { roomId?: unknown; version?: unknown };
  return {
    roomId: typeof roomId === 'string' ? roomId : null,
    version: typeof version === 'number' ? version : null,
  };
}
