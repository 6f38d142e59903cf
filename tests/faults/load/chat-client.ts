// One user with one client program, which does what a good one does: it repeats what was not answered with the same commandId,
// waits as long as it was told, comes back after a broken socket, and never gives up before the bound.
import { setTimeout as delay } from 'node:timers/promises';
import type { Via } from '../history.ts';
import type { HistoryWriter } from '../history-writer.ts';
import type { Random } from '../random.ts';
import { isWorthRepeating, type Outcome } from './outcome.ts';
import type { RestWay } from './rest-way.ts';
import type { Rooms } from './rooms.ts';
import type { SocketSession } from './socket-session.ts';
import type { Wish } from './wish.ts';

export type ChatClientDeps = {
  name: string;
  userId: string;
  token: string;
  /** Null: a client that only knows REST. */
  session: SocketSession | null;
  via: Via;
  rest: RestWay;
  rooms: Rooms;
  history: HistoryWriter;
  random: Random;
  nextAttempt: () => number;
  /** How long a command is repeated, in milliseconds, which should be longer than any fault: then its outcome stays unknown. */
  repeatForMs: number;
  signal: AbortSignal;
  /** Something that must never happen and that the history cannot show. */
  onViolation: (sentence: string) => void;
};

const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 2_000;

export class ChatClient {
  readonly name: string;
  readonly userId: string;
  readonly token: string;
  readonly session: SocketSession | null;
  readonly #deps: ChatClientDeps;
  #messages = 0;

  constructor(deps: ChatClientDeps) {
    this.name = deps.name;
    this.userId = deps.userId;
    this.token = deps.token;
    this.session = deps.session;
    this.#deps = deps;
  }

  /** Does it, however often it takes, and notes what follows from it. Never rejects. */
  async perform(wish: Wish): Promise<Outcome> {
    const { random, history, repeatForMs, signal } = this.#deps;
    const commandId = random.id();
    const deadline = performance.now() + repeatForMs;
    for (let attempt = 0; ; attempt += 1) {
      await history.roomForMore();
      const outcome = await this.#attempt(wish, commandId);
      if (!isWorthRepeating(outcome) || performance.now() > deadline || signal.aborted) {
        this.#note(wish, outcome);
        return outcome;
      }
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(attempt, 10), MAX_PAUSE_MS);
      await delay(Math.max(outcome.retryAfterMs ?? 0, pauseMs * (0.5 + random.next())));
    }
  }

  /** Says something that nobody else says. */
  say(roomId: string, more = ''): Promise<Outcome> {
    this.#messages += 1;
    return this.perform({ type: 'SendMessage', roomId, text: `${this.name} ${this.#messages}${more}` });
  }

  /** The page that has the message must have exactly it. Nothing is claimed where the answer is no page. */
  async readBack(roomId: string, said: { id: string; version: number | null; position: string }): Promise<void> {
    const { rest, onViolation } = this.#deps;
    const query = new URLSearchParams({ chatroomId: roomId, after: String((said.version ?? 1) - 1), limit: '1' });
    try {
      const { status, body } = await rest.read(`/api/v1/messages?${query}`, this.token, said.position);
      if (status !== 200) return;
      const [first] = body.messages as { id?: unknown; version?: unknown }[];
      if (first?.id === said.id && first.version === said.version) return;
      onViolation(
        `${this.name} read room ${roomId} after version ${(said.version ?? 1) - 1} with x-min-position ${said.position} and did not get its own message ${said.id} first, but ${JSON.stringify(first)}`,
      );
    } catch {
      // No answer says nothing.
    }
  }

  /** The newest page, ascending; null where the answer is none. A position makes the answer come from PostgreSQL. */
  async readNewest(roomId: string, minPosition?: string): Promise<unknown[] | null> {
    try {
      const path = `/api/v1/messages?${new URLSearchParams({ chatroomId: roomId })}`;
      const { status, body } = await this.#deps.rest.read(path, this.token, minPosition);
      return status === 200 && Array.isArray(body.messages) ? body.messages : null;
    } catch {
      // No answer says nothing.
      return null;
    }
  }

  async #attempt(wish: Wish, commandId: string): Promise<Outcome> {
    const { history, session, rest, token } = this.#deps;
    const attempt = this.#deps.nextAttempt();
    const bySocket = wish.type === 'SendMessage' && session?.isOpen === true;
    history.record({
      kind: 'invoked',
      at: history.now(),
      attempt,
      client: this.name,
      userId: this.userId,
      via: bySocket ? this.#deps.via : 'rest',
      type: wish.type,
      roomId: wish.roomId,
      commandId,
      ...(wish.type === 'SendMessage' ? { text: wish.text } : {}),
      ...(wish.type === 'InviteMember' ? { aboutUserId: wish.userId } : {}),
    });
    const outcome = await (bySocket
      ? session.send(wish.roomId, wish.text, commandId)
      : rest.send(wish, commandId, token));
    const at = history.now();
    if (outcome.kind === 'accepted') history.record({ ...outcome, at, attempt });
    else if (outcome.kind === 'refused') history.record({ kind: 'refused', at, attempt, code: outcome.code });
    else history.record({ kind: 'lost', at, attempt, reason: outcome.reason });
    return outcome;
  }

  #note(wish: Wish, outcome: Outcome): void {
    if (outcome.kind !== 'accepted') return;
    const { rooms } = this.#deps;
    if (wish.type === 'CreateRoom') rooms.add(outcome.roomId, this.userId, wish.isPrivate);
    const room = rooms.find(outcome.roomId);
    if (!room) return;
    if (wish.type === 'JoinRoom') {
      room.members.add(this.userId);
      room.invited.delete(this.userId);
    }
    if (wish.type === 'LeaveRoom') room.members.delete(this.userId);
    if (wish.type === 'ArchiveRoom') room.archived = true;
    if (wish.type === 'InviteMember' && !room.members.has(wish.userId)) room.invited.add(wish.userId);
  }
}
