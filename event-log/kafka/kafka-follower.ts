// Following: one long-polling fetch in flight to each leader, for all the partitions it leads. No consumer group, so no rebalance, no
// committed offset and no reset to an offset nobody asked for: the positions are here, and they begin where the caller says.
//
// While a partition's batch is handled, one more may be fetched and waits its turn; with that the partition is left out of the
// fetches until the batch in hand is done. So a partition keeps at most two batches in memory, whatever its handler does.
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
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
};

/** What a follower needs of its connections. */
export type FollowerConnections = Pick<KafkaConnections, 'leaders' | 'toNode' | 'close'>;

export type FollowerDeps = { connections: FollowerConnections; topic: string; log: Logger | undefined };

export class KafkaFollower implements LogFollower {
  readonly #deps: FollowerDeps;
  readonly #handle: FollowOptions['handle'];
  readonly #restMs: number;
  readonly #tails: Tail[];
  readonly #ending = new AbortController();
  #failure: { error: unknown } | undefined;
  #running: Promise<void> | undefined;
  #attempt = 0;

  /** `connections` is the follower's own and is closed by it. */
  constructor(deps: FollowerDeps, { from, handle, restMs = 0 }: FollowOptions) {
    this.#deps = deps;
    this.#handle = handle;
    this.#restMs = restMs;
    this.#tails = [...from].map(([partition, next]) => ({ partition, next, waiting: undefined, handling: undefined }));
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

  async #run(): Promise<void> {
    if (this.#tails.length === 0 && !this.#isEnding()) await once(this.#ending.signal, 'abort');
    while (!this.#isEnding()) {
      try {
        await this.#fetchUntilBroken();
      } catch (error) {
        if (!(error instanceof LogUnavailableError)) this.#fail(error);
        else if (!this.#isEnding()) await this.#backOff(error);
      }
    }
    await Promise.all(this.#tails.flatMap(({ handling }) => handling ?? []));
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Fetches from all leaders side by side until one fails; then all stop, because who leads what has to be asked anew. */
  async #fetchUntilBroken(): Promise<void> {
    const session = { broken: false };
    const partitionsByNode = await this.#deps.connections.leaders(this.#tails.map(({ partition }) => partition));
    const pumps = [...partitionsByNode].map(async ([node, partitions]) => {
      try {
        await this.#pump(node, new Set(partitions), session);
      } finally {
        session.broken = true;
      }
    });
    const outcomes = await Promise.allSettled(pumps);
    const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    const fatal = reasons.find((reason) => !(reason instanceof LogUnavailableError));
    if (reasons.length > 0) throw fatal ?? reasons[0];
  }

  async #pump(node: number, partitions: ReadonlySet<number>, session: { broken: boolean }): Promise<void> {
    const connection = await this.#deps.connections.toNode(node);
    const tails = this.#tails.filter(({ partition }) => partitions.has(partition));
    for (let round = 0; !session.broken && !this.#isEnding(); round++) {
      const ready = tails.filter(({ waiting }) => waiting === undefined);
      if (ready.length === 0) {
        await Promise.race(tails.flatMap(({ handling }) => handling ?? []));
        continue;
      }
      try {
        // Taken in turns, because the answer's bytes go to the first ones asked for.
        const isAtHead = await this.#fetchOnce(connection, rotated(ready, round), ready.length < tails.length);
        if (isAtHead) await this.#pause(this.#restMs);
      } catch (error) {
        connection.retire();
        throw error;
      }
    }
  }

  /** Whether it reached the head of every partition it fetched. */
  async #fetchOnce(connection: KafkaConnection, tails: readonly Tail[], someLeftOut: boolean): Promise<boolean> {
    const limits = { ...FETCH_BYTES, maxWaitMs: someLeftOut ? SHORT_POLL_MS : LONG_POLL_MS };
    const offsets = tails.map(({ partition, next }) => ({ partition, offset: next }));
    const fetched = await connection.send(fetchRequest(this.#deps.topic, offsets, limits)).catch((error: unknown) => {
      throw new LogUnavailableError('a fetch got no answer from Kafka', { cause: error });
    });
    // What is wrong with one partition must not keep from the others what they got.
    const errors: unknown[] = [];
    let isAtHead = true;
    for (const part of fetched) {
      const tail = tails.find(({ partition }) => partition === part.partition);
      if (tail === undefined || this.#isEnding()) continue;
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
    this.#deps.connections.close();
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

function rotated<Item>(items: readonly Item[], by: number): Item[] {
  const first = by % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
