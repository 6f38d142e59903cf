// Knows how far each partition has grown, so that followers sleep until there is something to read. Three sources, the quickest
// first: appends through the same handle, NOTIFY from other handles, and a look at all heads every half second, which covers
// notifications that got lost and shows whether the connection still lives. One connection per handle, however many followers.
import type pg from 'pg';
import type { Logger } from '../../platform/logger.ts';
import { type ConnectionOptions, endClient, openClient } from './connections.ts';
import { notify, type Runner, selectHeads } from './statements.ts';

export type HeadWatchDeps = { connection: ConnectionOptions; channel: string; logger: Logger };

/** How often all heads are looked at, in milliseconds: the longest a lost notification delays a follower. */
const POLL_MS = 500;
const BACKOFF_FIRST_MS = 50;
const BACKOFF_MAX_MS = 1_000;
/** The least time between two notifications: a quiet log tells at once, a busy one tells many heads together. */
const NOTIFY_REST_MS = 5;
/** Partitions told in one notification, whose payload PostgreSQL bounds at 8,000 bytes; the rest goes into the next one. */
const MAX_HEADS_PER_NOTIFY = 200;

export class HeadWatch {
  readonly #deps: HeadWatchDeps;
  readonly #headByPartition = new Map<number, number>();
  readonly #waiters = new Set<{ partition: number; offset: number; wake: () => void }>();
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(deps: HeadWatchDeps) {
    this.#deps = deps;
  }

  /** Starts watching, once; what is told by noteHead counts before that too. */
  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Tells a head seen elsewhere. Heads only grow, so an older one that arrives late changes nothing. */
  noteHead(partition: number, head: number): void {
    if (head <= this.headOf(partition)) return;
    this.#headByPartition.set(partition, head);
    for (const waiter of this.#waiters) {
      if (waiter.partition === partition && waiter.offset < head) waiter.wake();
    }
  }

  /** The newest head known of, -1 where none is. */
  headOf(partition: number): number {
    return this.#headByPartition.get(partition) ?? -1;
  }

  /** Resolves when the partition is known to have grown beyond the offset, or when the signal aborts. */
  async waitBeyond(partition: number, offset: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || offset < this.headOf(partition)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    const waiter = { partition, offset, wake };
    this.#waiters.add(waiter);
    signal.addEventListener('abort', wake, { once: true });
    await promise;
    signal.removeEventListener('abort', wake);
    this.#waiters.delete(waiter);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let backoffMs = BACKOFF_FIRST_MS;
    while (!signal.aborted) {
      let client: pg.Client | undefined;
      try {
        client = await openClient(this.#deps.connection);
        await this.#listen(client, () => {
          backoffMs = BACKOFF_FIRST_MS;
        });
      } catch (error) {
        this.#deps.logger.warn({ err: error, backoffMs }, 'event log cannot be listened to');
        await sleep(backoffMs, signal);
        backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
      } finally {
        if (client) await endClient(client);
      }
    }
  }

  /** Listens and polls until the signal aborts; fails when the connection does. */
  async #listen(client: pg.Client, onAlive: () => void): Promise<void> {
    const { signal } = this.#stop;
    const broken = new AbortController();
    const stoppedOrBroken = AbortSignal.any([signal, broken.signal]);
    client.on('end', () => broken.abort());
    client.on('notification', ({ payload }) => {
      for (const [partition, head] of parseHeads(payload ?? '')) this.noteHead(partition, head);
    });
    await client.query(`listen "${this.#deps.channel}"`);
    while (!signal.aborted) {
      for (const [partition, head] of await selectHeads(client)) this.noteHead(partition, head);
      onAlive();
      await sleep(POLL_MS, stoppedOrBroken);
    }
  }
}

/**
 * Tells other handles of new heads, many at once and outside of the append's transaction: a NOTIFY inside would serialise the
 * commits of all partitions behind one lock (measured with 8 partitions: 2,700 appends/s inside, 7,000 outside). A notification
 * that fails is not tried again, because the poll finds the same.
 */
export class HeadNotifier {
  readonly #runner: Runner;
  readonly #channel: string;
  readonly #logger: Logger;
  #pending = new Map<number, number>();
  readonly #stopping = new AbortController();
  #sending: Promise<void> | undefined;

  constructor(deps: { runner: Runner; channel: string; logger: Logger }) {
    this.#runner = deps.runner;
    this.#channel = deps.channel;
    this.#logger = deps.logger;
  }

  /** Notifies soon. Heads of a partition that come while one is under way are told as the newest of them. */
  tell(partition: number, head: number): void {
    this.#pending.set(partition, head);
    this.#sending ??= this.#sendAll();
  }

  /** Resolves when everything told has been sent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    try {
      while (this.#pending.size > 0) {
        const heads = [...this.#pending].slice(0, MAX_HEADS_PER_NOTIFY);
        for (const [partition] of heads) this.#pending.delete(partition);
        await notify(this.#runner, this.#channel, formatHeads(heads));
        await sleep(NOTIFY_REST_MS, this.#stopping.signal);
      }
    } catch (error) {
      this.#pending = new Map();
      this.#logger.warn({ err: error }, 'event log followers could not be notified');
    } finally {
      this.#sending = undefined;
    }
  }
}

function formatHeads(heads: [number, number][]): string {
  return heads.map(([partition, head]) => `${partition}:${head}`).join(' ');
}

function parseHeads(payload: string): [number, number][] {
  return Array.from(payload.matchAll(/(\d+):(\d+)/g), ([, partition, head]) => [Number(partition), Number(head)]);
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
