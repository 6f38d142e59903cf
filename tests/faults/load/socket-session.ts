// The socket of one client over the whole run: it is opened again on another node whenever it breaks, and resumes each room after the
// last version that it has seen.
import { CLIENT_FRAMES, SERVER_FRAMES } from '../../../schemas/wire.ts';
import type { Door } from '../cluster/cluster.ts';
import type { HistoryWriter } from '../history-writer.ts';
import type { Random } from '../random.ts';
import { type ChatConnection, openConnection, type SocketVia } from './chat-connection.ts';
import { lost, type Outcome, refusalToOutcome } from './outcome.ts';

export type SocketSessionDeps = {
  via: SocketVia;
  /** The client's name; socket ids are made of it. */
  client: string;
  userId: string;
  token: string;
  doors: readonly Door[];
  history: HistoryWriter;
  random: Random;
};

/**
 * `wanted`: the client means to be joined. `asking`: a join or leave has no answer yet, and a client asks one thing at a time.
 * `version`: the highest that it has seen, without a gap below it since it first joined.
 */
type RoomFollowed = { wanted: boolean; joined: boolean; asking: boolean; version: number | null };

const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 2_000;
const ASK_AGAIN_MS = 700;

export class SocketSession {
  readonly #deps: SocketSessionDeps;
  readonly #rooms = new Map<string, RoomFollowed>();
  #connection: ChatConnection | undefined;
  #socketId = '';
  #opened = 0;
  #failures = 0;
  #door = 0;
  #isOpen = false;
  #isStopped = false;

  constructor(deps: SocketSessionDeps) {
    this.#deps = deps;
    this.#door = deps.random.int(0, deps.doors.length - 1);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  start(): void {
    this.#connect();
  }

  /** Ends the socket for good. */
  stop(): void {
    this.#isStopped = true;
    this.#connection?.drop('client');
  }

  /** Is joined from now on, over all reconnects. `fresh`: as one who has seen nothing. */
  follow(roomId: string, { fresh = false } = {}): void {
    const room = this.#roomOf(roomId);
    room.wanted = true;
    if (fresh && !room.joined && !room.asking) room.version = null;
    this.#settle(roomId, room);
  }

  /** Frames stop; membership is another thing. */
  unfollow(roomId: string): void {
    const room = this.#roomOf(roomId);
    room.wanted = false;
    this.#settle(roomId, room);
  }

  /** A membership that was given up: the service takes the socket out by itself. */
  forget(roomId: string): void {
    this.#roomOf(roomId).wanted = false;
  }

  follows(roomId: string): boolean {
    return this.#rooms.get(roomId)?.wanted === true;
  }

  /** Whether it is joined and has seen everything up to this version. */
  hasSeen(roomId: string, version: number): boolean {
    const room = this.#rooms.get(roomId);
    return room?.joined === true && (room.version ?? 0) >= version;
  }

  describe(roomId: string): string {
    const room = this.#rooms.get(roomId);
    return `socket ${this.#socketId} (${this.#isOpen ? 'open' : 'not open'}), ${JSON.stringify(room)}`;
  }

  send(roomId: string, text: string, commandId: string): Promise<Outcome> {
    return new Promise((resolve) => {
      if (!this.#connection || !this.#isOpen) return resolve(lost('no socket'));
      this.#connection.ask(CLIENT_FRAMES.sendMessage, { roomId, message: text, commandId }, (answer) => {
        if (answer.kind === 'none') return resolve(lost(answer.reason));
        if (answer.kind === 'error') return resolve(refusalToOutcome(answer.code, answer.retryAfterMs));
        const message = answer.data.message as { id?: unknown; version?: unknown } | undefined;
        const [id, version] = [String(message?.id), Number(message?.version)];
        resolve({ kind: 'accepted', roomId, id, version, position: String(answer.data.position), changed: true });
      });
    });
  }

  typing(roomId: string, isTyping: boolean): void {
    if (!this.#isOpen) return;
    this.#connection?.ask(isTyping ? CLIENT_FRAMES.typing : CLIENT_FRAMES.stopTyping, { roomId }, () => undefined);
  }

  #connect(): void {
    const { via, client, userId, token, doors, history } = this.#deps;
    this.#opened += 1;
    const socketId = `${client}/${this.#opened}`;
    this.#socketId = socketId;
    this.#door += 1;
    const url = doors[this.#door % doors.length]?.url ?? '';
    this.#connection = openConnection(via, url, token, {
      onOpen: () => {
        this.#isOpen = true;
        this.#failures = 0;
        history.record({ kind: 'connected', at: history.now(), socketId, userId, via });
        for (const [roomId, room] of this.#rooms) this.#settle(roomId, room);
      },
      onFrame: (event, data) => this.#hear(event, data),
      onClose: (reason) => {
        if (this.#isOpen) history.record({ kind: 'disconnected', at: history.now(), socketId, reason });
        this.#isOpen = false;
        for (const room of this.#rooms.values()) Object.assign(room, { joined: false, asking: false });
        this.#connectLater();
      },
    });
  }

  #connectLater(): void {
    if (this.#isStopped) return;
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures, MAX_PAUSE_MS);
    this.#failures = Math.min(this.#failures + 1, 10);
    setTimeout(() => this.#isStopped || this.#connect(), longest * (0.5 + this.#deps.random.next()));
  }

  /** Asks for what is wanted and is not so, once what was asked before is answered. */
  #settle(roomId: string, room: RoomFollowed): void {
    if (!this.#isOpen || room.asking || room.wanted === room.joined) return;
    room.asking = true;
    if (room.wanted) this.#join(roomId, room);
    else this.#leave(roomId, room);
  }

  #join(roomId: string, room: RoomFollowed): void {
    const { history } = this.#deps;
    const socketId = this.#socketId;
    const after = room.version;
    history.record({ kind: 'joining', at: history.now(), socketId, roomId, after });
    this.#connection?.ask(CLIENT_FRAMES.joinRoom, { roomId, ...(after === null ? {} : { after }) }, (answer) => {
      if (answer.kind === 'none') return;
      const at = history.now();
      room.asking = false;
      if (answer.kind === 'error') {
        history.record({ kind: 'join-refused', at, socketId, roomId, code: answer.code });
        this.#settleLater(roomId, room);
        return;
      }
      const version = Number(answer.data.version);
      history.record({ kind: 'joined', at, socketId, roomId, version });
      room.joined = true;
      room.version = Math.max(room.version ?? 0, version);
      this.#settle(roomId, room);
    });
  }

  #leave(roomId: string, room: RoomFollowed): void {
    const { history } = this.#deps;
    const socketId = this.#socketId;
    this.#connection?.ask(CLIENT_FRAMES.leaveRoom, { roomId }, (answer) => {
      if (answer.kind === 'none') return;
      room.asking = false;
      if (answer.kind === 'error') return this.#settleLater(roomId, room);
      room.joined = false;
      history.record({ kind: 'left-room', at: history.now(), socketId, roomId });
      this.#settle(roomId, room);
    });
  }

  #settleLater(roomId: string, room: RoomFollowed): void {
    setTimeout(() => this.#settle(roomId, room), ASK_AGAIN_MS);
  }

  #hear(event: string, data: unknown): void {
    const { history, userId } = this.#deps;
    history.record({ kind: 'received', at: history.now(), socketId: this.#socketId, event, data });
    const frame = (data ?? {}) as { roomId?: unknown; version?: unknown; userId?: unknown; event?: unknown };
    const room = typeof frame.roomId === 'string' ? this.#rooms.get(frame.roomId) : undefined;
    if (!room) return;
    if (typeof frame.version === 'number') room.version = Math.max(room.version ?? 0, frame.version);
    const isTakenOut = event === SERVER_FRAMES.error && frame.event === CLIENT_FRAMES.joinRoom;
    const hasLeft = event === SERVER_FRAMES.memberLeft && frame.userId === userId;
    if (!isTakenOut && !hasLeft) return;
    room.joined = false;
    this.#settleLater(String(frame.roomId), room);
  }

  #roomOf(roomId: string): RoomFollowed {
    const known = this.#rooms.get(roomId) ?? { wanted: false, joined: false, asking: false, version: null };
    this.#rooms.set(roomId, known);
    return known;
  }
}
