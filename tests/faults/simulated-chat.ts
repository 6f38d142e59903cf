/* A whole system in one object that does everything right, for testing the checker: rooms, a log, clients that repeat themselves,
 * sockets that get their frames a while later. It decides and shows with the product's own pure functions, of which the checker
 * uses none; so the two also hold each other to one understanding of the events.
 */
import { decide, isRefused } from '../../commands/chatroom/decide.ts';
import { withMetadata } from '../../commands/chatroom/new-event.ts';
import { evolve, initialState, type RoomState } from '../../commands/chatroom/state.ts';
import { toFrame } from '../../realtime/frames/to-frame.ts';
import { type CommandBody, positionOf, streamOfRoom } from '../../schemas/commands.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { messageView } from '../../schemas/views.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import type { HistoryEntry, Via } from './history.ts';
import type { LoggedEvent, LogRead } from './read-log.ts';

/**
 * How a command goes: told; done and not told; not done and not told; done, not told, repeated; not done, not told, repeated.
 */
export const COURSES = ['told', 'untold', 'dropped', 'repeated', 'repeated-anew'] as const;
export type Course = (typeof COURSES)[number];

type Outcome =
  | { kind: 'accepted'; roomId: string; id: string; version: number; position: string; changed: boolean }
  | { kind: 'refused'; code: string };
export type Ask = { roomId: string; after: number | null } | { leaving: string };
type Socket = {
  userId: string;
  /** Rooms whose events it gets. */
  rooms: Set<string>;
  /** What the node has not come to yet. */
  ask: Ask | null;
  /** What has not reached the client yet. */
  outbox: HistoryEntry[];
};
type Room = { state: RoomState; events: LoggedEvent[] };

const PARTITIONS = 2;
const START = Date.UTC(2026, 0, 1);

export class SimulatedChat {
  readonly history: HistoryEntry[] = [];
  readonly #events: LoggedEvent[] = [];
  readonly #sockets = new Map<string, Socket>();
  readonly #rooms = new Map<string, Room>();
  readonly #remembered = new Map<string, Outcome>();
  readonly #heads = Array.from({ length: PARTITIONS }, () => 0);
  #count = 0;

  get log(): LogRead {
    return { events: this.#events, unreadable: [], heads: new Map(this.#heads.entries()) };
  }

  get socketIds(): string[] {
    return [...this.#sockets.keys()];
  }

  /** A record that does not count takes an offset. */
  barrier(partition: number): void {
    this.#heads[partition] = (this.#heads[partition] ?? 0) + 1;
  }

  command(userId: string, body: CommandBody, course: Course = 'told', via: Via = 'rest'): void {
    const commandId = this.#next('command');
    let attempt = this.#invoke(userId, body, commandId, via);
    if (course === 'dropped' || course === 'repeated-anew') this.#lose(attempt);
    if (course === 'dropped') return;
    if (course === 'repeated-anew') attempt = this.#invoke(userId, body, commandId, via);
    let outcome = this.#execute(userId, body, commandId);
    if (course === 'untold' || course === 'repeated') this.#lose(attempt);
    if (course === 'untold') return;
    if (course === 'repeated') {
      attempt = this.#invoke(userId, body, commandId, via);
      outcome = this.#execute(userId, body, commandId);
    }
    this.#note({ ...outcome, at: 0, attempt });
  }

  say(userId: string, roomId: string, text: string, course: Course = 'told', via: Via = 'rest'): void {
    this.command(userId, messageOf(roomId, text), course, via);
  }

  /** Several messages over a socket without waiting; the answers come the other way round. */
  sayTogether(userId: string, roomId: string, texts: string[]): void {
    const sent = texts.map((text) => {
      const body = messageOf(roomId, text);
      const commandId = this.#next('command');
      return { body, commandId, attempt: this.#invoke(userId, body, commandId, 'ws') };
    });
    const told = sent.map(({ body, commandId, attempt }) => {
      return { ...this.#execute(userId, body, commandId), at: 0, attempt };
    });
    for (const entry of told.reverse()) this.#note(entry);
  }

  connect(userId: string): string {
    const socketId = this.#next('socket');
    this.#sockets.set(socketId, { userId, rooms: new Set(), ask: null, outbox: [] });
    this.#note({ kind: 'connected', at: 0, socketId, userId, via: 'ws' });
    return socketId;
  }

  disconnect(socketId: string): void {
    if (this.#sockets.delete(socketId)) this.#note({ kind: 'disconnected', at: 0, socketId, reason: 'cut' });
  }

  /** Joins or leaves; one thing at a time, as clients do. The node comes to it with `work`. */
  ask(socketId: string, ask: Ask): void {
    const socket = this.#sockets.get(socketId);
    if (!socket || socket.ask !== null || socket.outbox.some(isAnswer)) return;
    socket.ask = ask;
    if ('roomId' in ask) this.#note({ kind: 'joining', at: 0, socketId, ...ask });
  }

  /** The node comes to what the socket asked. */
  work(socketId: string): void {
    const socket = this.#sockets.get(socketId);
    if (!socket?.ask) return;
    const { ask } = socket;
    socket.ask = null;
    if ('roomId' in ask) {
      this.#join(socketId, socket, ask);
    } else {
      socket.rooms.delete(ask.leaving);
      socket.outbox.push({ kind: 'left-room', at: 0, socketId, roomId: ask.leaving });
    }
  }

  /** What the node sent reaches the client; an answer that is noted late stands behind the frames that came with it. */
  deliver(socketId: string, count = Number.POSITIVE_INFINITY, isLate = false): void {
    const arrived = this.#sockets.get(socketId)?.outbox.splice(0, count) ?? [];
    const noted = isLate ? [...arrived.filter((entry) => !isAnswer(entry)), ...arrived.filter(isAnswer)] : arrived;
    for (const entry of noted) this.#note(entry);
  }

  /** Joins, and the answer comes. */
  join(socketId: string, roomId: string, after: number | null = null): void {
    this.ask(socketId, { roomId, after });
    this.work(socketId);
    this.deliver(socketId);
  }

  /** The quiet end: everything is done and arrives. */
  settle(): this {
    for (const socketId of this.socketIds) {
      this.work(socketId);
      this.deliver(socketId);
    }
    return this;
  }

  #invoke(userId: string, body: CommandBody, commandId: string, via: Via): number {
    this.#count += 1;
    this.#note({
      kind: 'invoked',
      at: 0,
      attempt: this.#count,
      client: userId,
      userId,
      via,
      type: body.type,
      roomId: body.type === 'CreateRoom' ? '' : body.roomId,
      commandId,
      ...(body.type === 'SendMessage' ? { text: body.text } : {}),
      ...(body.type === 'InviteMember' ? { aboutUserId: body.userId } : {}),
    });
    return this.#count;
  }

  #lose(attempt: number): void {
    this.#note({ kind: 'lost', at: 0, attempt, reason: 'no answer' });
  }

  #execute(userId: string, body: CommandBody, commandId: string): Outcome {
    const remembered = this.#remembered.get(commandId);
    if (remembered) return remembered;
    const { roomId } = body;
    const room = this.#rooms.get(roomId) ?? { state: initialState, events: [] };
    const partition = roomId.length % PARTITIONS;
    const actor = { userId, username: `the ${userId}` };
    const now = START + this.#count;
    const command = { body, actor, onBehalfOf: null, isOperator: false, commandId, correlationId: 'request', now };
    const decision = decide(command, room.state);
    if (isRefused(decision)) return { kind: 'refused', code: decision.rejected };
    const version = room.state.version + decision.length;
    const offset = decision.length > 0 ? this.#heads[partition] : room.events.at(-1)?.offset;
    const id = body.type === 'SendMessage' ? `message-${commandId}` : roomId;
    const position = positionOf(partition, offset ?? 0);
    const outcome: Outcome = { kind: 'accepted', roomId, id, version, position, changed: decision.length > 0 };
    for (const made of decision) {
      const place = { stream: streamOfRoom(roomId), version, eventId: this.#next('event') };
      const event = withMetadata(made.type === 'MessageSent' ? { ...made, messageId: id } : made, command, place);
      const logged = { partition, offset: offset ?? 0, key: streamOfRoom(roomId), event };
      this.barrier(partition);
      this.#events.push(logged);
      this.#rooms.set(roomId, { state: evolve(room.state, event), events: [...room.events, logged] });
      this.#remembered.set(commandId, outcome);
      this.#show(event);
    }
    return outcome;
  }

  #show(event: ChatEvent): void {
    for (const [socketId, { userId, rooms, outbox }] of this.#sockets) {
      if (!rooms.has(event.roomId)) continue;
      outbox.push(received(socketId, event));
      if (event.type === 'MemberLeft' && event.userId === userId) rooms.delete(event.roomId);
    }
  }

  #join(socketId: string, socket: Socket, { roomId, after }: { roomId: string; after: number | null }): void {
    const room = this.#rooms.get(roomId);
    const code = room === undefined ? 'room_not_found' : refusalOf(room.state, socket.userId, after);
    if (room === undefined || code !== null) {
      socket.outbox.push({ kind: 'join-refused', at: 0, socketId, roomId, code: code ?? '' });
      return;
    }
    const { version } = room.state;
    if (after === null) {
      const messages = room.events.flatMap(({ event }) => (event.type === 'MessageSent' ? [messageView(event)] : []));
      const data = { roomId, messages: messages.slice(-LIMITS.pageMessages), version };
      socket.outbox.push({ kind: 'received', at: 0, socketId, event: SERVER_FRAMES.recentMessages, data });
    } else {
      socket.outbox.push(...room.events.slice(after).map(({ event }) => received(socketId, event)));
    }
    socket.rooms.add(roomId);
    socket.outbox.push({ kind: 'joined', at: 0, socketId, roomId, version });
  }

  #note(entry: HistoryEntry): void {
    // As in the file: nothing is shared with the log.
    this.history.push(JSON.parse(JSON.stringify({ ...entry, at: this.history.length })) as HistoryEntry);
  }

  #next(what: string): string {
    this.#count += 1;
    return `${what}-${this.#count}`;
  }
}

function messageOf(roomId: string, text: string): CommandBody {
  return { type: 'SendMessage', roomId, messageId: '', text, replyTo: null, originalTime: null };
}

function refusalOf(state: RoomState, userId: string, after: number | null): string | null {
  if (state.status === 'none' || !state.members.has(userId)) return 'not_a_member';
  return after !== null && after > state.version ? 'version_ahead' : null;
}

function isAnswer({ kind }: HistoryEntry): boolean {
  return kind !== 'received';
}

function received(socketId: string, event: ChatEvent): HistoryEntry {
  const frame = toFrame(event);
  if (frame === null) throw new Error(`the checker holds that every event has a frame, and ${event.type} has none`);
  return { kind: 'received', at: 0, socketId, event: frame.event, data: frame.data };
}
