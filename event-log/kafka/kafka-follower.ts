// Following: one long-polling fetch in flight to each leader, for all the partitions it leads. No consumer group, so no rebalance, no
// committed offset and no reset to an offset nobody asked for: the positions are here, and they begin where the caller says.
//
// While a partition's batch is handled, one more may be fetched and waits its turn; with that the partition is left out of the
// fetches until the batch in hand is done. So a partition keeps at most two batches in memory, whatever its handler does.
//
// A partition that is added must not wait for the fetch in flight, which may last as long as nothing comes. So the session ends, and
// the next one fetches all partitions, over new connections where a fetch was in flight. What is abandoned so comes to an end by
// itself, and its answer is dropped: the positions have not moved, and the next session fetches the same.
import assert from 'node:assert/strict';
import { setImmediate as endOfTurn, setTimeout as wait } from 'node:timers/promises';
import type { Logger } from '../../platform/logger.ts';
import { type FollowOptions, type LogBatch, type LogFollower, LogUnavailableError } from '../event-log.ts';
import type { KafkaConnection, KafkaConnections } from './kafka-connections.ts';
import { decodeFetched, FETCH_BYTES } from './kafka-reader.ts';
import { fetchRequest } from './requests.ts';

/** Milliseconds the broker keeps a fetch while nothing comes; well below the time-out of a request. */
const LONG_POLL_MS = 1_000;
/** The same while a slow partition is left out of the fetch: as long as it may wait for being taken in again. */
const SHORT_POLL_MS = 20;
/** Milliseconds between two attempts: doubled from the first to the last. */
const BACKOFF_MS = { first: 50, last: 1_000 };

type Tail = {
  readonly partition: number;
  /** The offset of the next fetch. */
  next: number;
  waiting: LogBatch | undefined;
  handling: Promise<void> | undefined;
  /** Removed; at most its last batch is still in hand. */
  isLeaving: boolean;
};

/** Fetches side by side from all leaders, from asking who leads what until one of them fails or another partition is added. */
type Session = {
  /** One leader failed: nothing more is fetched, and what is in flight is waited for. */
  isBroken: boolean;
  readonly fetching: Set<KafkaConnection>;
  readonly abandoned: Promise<void>;
  abandon(): void;
};

/** What a follower needs of its connections. */
export type FollowerConnections = Pick<KafkaConnections, 'leaders' | 'toNode' | 'close'>;

export type FollowerDeps = { connections: FollowerConnections; topic: string; log: Logger | undefined };

export class KafkaFollower implements LogFollower {
  readonly #deps: FollowerDeps;
  readonly #handle: FollowOptions['handle'];
  readonly #restMs: number;
  readonly #tailByPartition: Map<number, Tail>;
  readonly #ending = new AbortController();
  #session: Session | undefined;
  #failure: { error: unknown } | undefined;
  #running: Promise<void> | undefined;
  #attempt = 0;

  /** `connections` is the follower's own and is closed by it. */
  constructor(deps: FollowerDeps, { from, handle, restMs = 0 }: FollowOptions) {
    this.#deps = deps;
    this.#handle = handle;
    this.#restMs = restMs;
    this.#tailByPartition = new Map([...from].map(([partition, next]) => [partition, newTail(partition, next)]));
  }

  run(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#end();
    // How it ended is told to whoever awaits run().
    await this.#running?.catch(() => undefined);
  }

  add(partition: number, from: number): void {
    if (this.#isEnding()) return;
    assert.ok(!this.#tailByPartition.has(partition), `partition ${partition} is followed already`);
    this.#tailByPartition.set(partition, newTail(partition, from));
    this.#abandonSession();
  }

  async remove(partition: number): Promise<void> {
    const tail = this.#tailByPartition.get(partition);
    if (!this.#isEnding()) assert.ok(tail && !tail.isLeaving, `partition ${partition} is not followed`);
    if (tail === undefined) return;
    tail.isLeaving = true;
    tail.waiting = undefined;
    await tail.handling;
    this.#tailByPartition.delete(partition);
  }

  async #run(): Promise<void> {
    while (!this.#isEnding()) {
      try {
        await this.#fetchUntilBroken();
      } catch (error) {
        if (!(error instanceof LogUnavailableError)) this.#fail(error);
        else if (!this.#isEnding()) await this.#backOff(error);
      }
    }
    await Promise.all([...this.#tailByPartition.values()].flatMap(({ handling }) => handling ?? []));
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** One session. When a leader fails the others stop too, because who leads what has to be asked anew. */
  async #fetchUntilBroken(): Promise<void> {
    // Partitions that are added in the same turn begin together.
    await endOfTurn();
    if (this.#isEnding()) return;
    const session = newSession();
    this.#session = session;
    const tails = [...this.#tailByPartition.values()].filter(({ isLeaving }) => !isLeaving);
    const fetching = tails.length > 0 ? [this.#fetchAll(tails, session)] : [];
    await Promise.race([session.abandoned, ...fetching]);
  }

  /** Rejects when a leader has failed, with what cannot be survived first; resolves when none of the partitions is followed any more. */
  async #fetchAll(tails: readonly Tail[], session: Session): Promise<void> {
    const partitionsByNode = await this.#deps.connections.leaders(tails.map(({ partition }) => partition));
    const pumps = [...partitionsByNode].map(async ([node, partitions]) => {
      const led = new Set(partitions);
      try {
        await this.#pump(
          node,
          tails.filter(({ partition }) => led.has(partition)),
          session,
        );
      } catch (error) {
        session.isBroken = true;
        throw error;
      }
    });
    const outcomes = await Promise.allSettled(pumps);
    const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    const fatal = reasons.find((reason) => !(reason instanceof LogUnavailableError));
    if (reasons.length > 0) throw fatal ?? reasons[0];
  }

  async #pump(node: number, led: readonly Tail[], session: Session): Promise<void> {
    const connection = await this.#deps.connections.toNode(node);
    for (let round = 0; !session.isBroken && this.#isCurrent(session); round++) {
      const tails = led.filter(({ isLeaving }) => !isLeaving);
      if (tails.length === 0) return;
      const ready = tails.filter(({ waiting }) => waiting === undefined);
      if (ready.length === 0) {
        await Promise.race(tails.flatMap(({ handling }) => handling ?? []));
        continue;
      }
      try {
        // Taken in turns, because the answer's bytes go to the first ones asked for.
        const isAtHead = await this.#fetchOnce(connection, rotated(ready, round), ready.length < tails.length, session);
        if (isAtHead) await this.#pause(this.#restMs);
      } catch (error) {
        connection.retire();
        throw error;
      }
    }
  }

  /** Whether it reached the head of every partition it fetched. */
  async #fetchOnce(
    connection: KafkaConnection,
    tails: readonly Tail[],
    someLeftOut: boolean,
    session: Session,
  ): Promise<boolean> {
    const limits = { ...FETCH_BYTES, maxWaitMs: someLeftOut ? SHORT_POLL_MS : LONG_POLL_MS };
    const offsets = tails.map(({ partition, next }) => ({ partition, offset: next }));
    session.fetching.add(connection);
    const fetched = await connection
      .send(fetchRequest(this.#deps.topic, offsets, limits))
      .catch((error: unknown) => {
        throw new LogUnavailableError('a fetch got no answer from Kafka', { cause: error });
      })
      .finally(() => session.fetching.delete(connection));
    if (!this.#isCurrent(session)) return false;
    // What is wrong with one partition must not keep from the others what they got.
    const errors: unknown[] = [];
    let isAtHead = true;
    for (const part of fetched) {
      const tail = tails.find(({ partition }) => partition === part.partition);
      if (tail === undefined || tail.isLeaving || this.#isEnding()) continue;
      try {
        const batch = decodeFetched(part, tail.next);
        if (batch.nextOffset > tail.next) this.#hand(tail, batch);
        isAtHead &&= batch.nextOffset >= batch.head;
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors.find((error) => !(error instanceof LogUnavailableError)) ?? errors[0];
    this.#attempt = 0;
    return isAtHead;
  }

  #hand(tail: Tail, batch: LogBatch): void {
    tail.next = batch.nextOffset;
    tail.waiting = batch;
    tail.handling ??= this.#handleWaiting(tail);
  }

  /** Hands over what waits until nothing does. Never rejects: what `handle` throws ends the follower. */
  async #handleWaiting(tail: Tail): Promise<void> {
    try {
      while (tail.waiting !== undefined && !this.#isEnding()) {
        const batch = tail.waiting;
        tail.waiting = undefined;
        await this.#handle(batch);
      }
    } catch (error) {
      this.#fail(error);
    }
    tail.handling = undefined;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#end();
  }

  #isEnding(): boolean {
    return this.#ending.signal.aborted;
  }

  #end(): void {
    this.#ending.abort();
    this.#abandonSession();
    this.#deps.connections.close();
  }

  /** The next session begins at once. A connection whose fetch waits for records would make it wait too, so that is given up. */
  #abandonSession(): void {
    const session = this.#session;
    if (session === undefined) return;
    this.#session = undefined;
    for (const connection of session.fetching) connection.retire();
    session.abandon();
  }

  /** Whether what the session fetched may be handled: else a later one fetches the same. */
  #isCurrent(session: Session): boolean {
    return this.#session === session;
  }

  async #backOff(error: LogUnavailableError): Promise<void> {
    const backoffMs = Math.min(BACKOFF_MS.first * 2 ** this.#attempt, BACKOFF_MS.last);
    this.#deps.log?.warn({ err: error, attempt: this.#attempt, backoffMs }, 'following the log is interrupted');
    this.#attempt++;
    await this.#pause(backoffMs);
  }

  async #pause(ms: number): Promise<void> {
    // The only rejection is that of the signal, and then the loop ends by itself.
    if (ms > 0) await wait(ms, undefined, { signal: this.#ending.signal }).catch(() => undefined);
  }
}

function newTail(partition: number, next: number): Tail {
  return { partition, next, waiting: undefined, handling: undefined, isLeaving: false };
}

function newSession(): Session {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { isBroken: false, fetching: new Set(), abandoned: promise, abandon: resolve };
}

function rotated<Item>(items: readonly Item[], by: number): Item[] {
  const first = by % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
