// All clients of a run: they make their rooms, talk until they are told to finish, and wait until they have seen everything.
import { setTimeout as delay } from 'node:timers/promises';
import { signToken } from '../../../platform/auth.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Via } from '../history.ts';
import type { HistoryWriter } from '../history-writer.ts';
import type { Random } from '../random.ts';
import { ChatClient } from './chat-client.ts';
import { actByHabit, joinRoom, makeRoom } from './habits.ts';
import { RestWay } from './rest-way.ts';
import { Rooms } from './rooms.ts';
import { SocketSession } from './socket-session.ts';

export type LoadOptions = {
  cluster: Cluster;
  history: HistoryWriter;
  random: Random;
  /** Of all clients together. */
  actionsPerSecond: number;
  /** How long a client repeats a command, in milliseconds. */
  repeatForMs: number;
  signal: AbortSignal;
  onViolation: (sentence: string) => void;
};

const VIAS: readonly Via[] = ['ws', 'ws', 'socket-io', 'rest'];
const CLIENTS = 16;
const FIRST_ROOMS = 8;
const ROOMS_AT_FIRST = 4;
const TOKEN_SECONDS = 24 * 3_600;
const LOOK_MS = 25;

export class Load {
  readonly rest: RestWay;
  readonly rooms = new Rooms();
  readonly clients: readonly ChatClient[];
  /** Sees every room, for questions of the run itself. */
  readonly operatorToken: string;
  readonly #options: LoadOptions;
  readonly #finishing = new AbortController();
  #attempts = 0;

  constructor(options: LoadOptions) {
    const { cluster, history, random, repeatForMs, signal, onViolation } = options;
    this.#options = options;
    this.rest = new RestWay(cluster.doors);
    this.operatorToken = signToken({ userId: 'operator', isOperator: true }, cluster.secret, TOKEN_SECONDS);
    this.clients = Array.from({ length: CLIENTS }, (_, index) => {
      const via = VIAS[index % VIAS.length] ?? 'ws';
      const name = `c${index + 1}`;
      const userId = `user-${index + 1}`;
      const token = signToken({ userId, username: name }, cluster.secret, TOKEN_SECONDS);
      const own = { userId, token, history, via };
      const doors = cluster.doors.realtime;
      const chance = random.fork(`socket of ${name}`);
      const session = via === 'rest' ? null : new SocketSession({ ...own, via, client: name, doors, random: chance });
      return new ChatClient({
        ...own,
        name,
        session,
        rest: this.rest,
        rooms: this.rooms,
        random: random.fork(`commands of ${name}`),
        nextAttempt: () => ++this.#attempts,
        repeatForMs,
        signal,
        onViolation,
      });
    });
  }

  /** Opens the sockets, makes the first rooms and fills them. */
  async prepare(): Promise<void> {
    const { random } = this.#options;
    const makers = this.clients.slice(0, FIRST_ROOMS);
    for (const { session } of this.clients) session?.start();
    await Promise.all(makers.map((client) => makeRoom(this.#habitsOf(client))));
    await Promise.all(
      this.rooms.all.map(async (room) => {
        const owner = this.clients.find(({ userId }) => userId === room.ownerId);
        const guests = random.shuffle(this.clients).slice(0, (ROOMS_AT_FIRST * CLIENTS) / FIRST_ROOMS);
        for (const guest of guests) {
          if (room.isPrivate) await owner?.perform({ type: 'InviteMember', roomId: room.id, userId: guest.userId });
          await joinRoom({ client: guest }, room.id);
        }
      }),
    );
  }

  /** Resolves when all clients have finished what they had begun after finish(). */
  async run(): Promise<void> {
    const meanPauseMs = (1_000 * CLIENTS) / this.#options.actionsPerSecond;
    const signal = AbortSignal.any([this.#finishing.signal, this.#options.signal]);
    await Promise.all(
      this.clients.map(async (client) => {
        const habits = this.#habitsOf(client);
        while (!signal.aborted) {
          await actByHabit(habits);
          await delay(-Math.log(1 - habits.random.next()) * meanPauseMs);
        }
      }),
    );
  }

  finish(): void {
    this.#finishing.abort();
  }

  /** One more message in every room; resolves with the position of each. */
  async sayLastWords(): Promise<Map<string, string>> {
    const { onViolation } = this.#options;
    const positions = new Map<string, string>();
    await Promise.all(
      this.rooms.open.map(async (room) => {
        const speaker = this.clients.find(({ userId }) => room.members.has(userId));
        const said = await speaker?.say(room.id, ' last');
        if (said?.kind === 'accepted') positions.set(room.id, said.position);
        else onViolation(`the last message of room ${room.id} was not taken: ${JSON.stringify(said)}`);
      }),
    );
    return positions;
  }

  /** Resolves when every socket that follows a room has seen it to its version; else it is a violation. */
  async untilAllIsSeen(versions: ReadonlyMap<string, number>, patienceMs: number): Promise<void> {
    const deadline = performance.now() + patienceMs;
    for (const [roomId, version] of versions) {
      for (const { session, name, userId } of this.clients) {
        const isThere = session?.follows(roomId) && this.rooms.find(roomId)?.members.has(userId);
        if (!session || !isThere) continue;
        while (!session.hasSeen(roomId, version) && performance.now() < deadline) await delay(LOOK_MS);
        if (session.hasSeen(roomId, version)) continue;
        this.#options.onViolation(
          `${name} has not seen room ${roomId} to version ${version} within ${patienceMs} ms: ${session.describe(roomId)}`,
        );
      }
    }
  }

  stop(): void {
    for (const { session } of this.clients) session?.stop();
  }

  #habitsOf(client: ChatClient) {
    const { random } = this.#options;
    const users = this.clients.map(({ userId }) => userId);
    return { client, rooms: this.rooms, random: random.fork(`habits of ${client.name}`), users };
  }
}
