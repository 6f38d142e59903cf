// Follows partitions: one loop for each, which reads, hands out, and waits for more.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../platform/logger.ts';
import { type FollowOptions, type LogBatch, type LogFollower, LogUnavailableError } from '../event-log.ts';
import type { HeadWatch } from './head-watch.ts';

export type FollowerDeps = {
  /** One bounded batch from an offset on, empty at the head. */
  readBatch: (partition: number, from: number) => Promise<LogBatch>;
  /** The same from memory, or null where that does not have it. Not asked first: only the log itself knows where it begins. */
  recentBatch: (partition: number, from: number) => LogBatch | null;
  watch: HeadWatch;
  logger: Logger;
};

const BACKOFF_FIRST_MS = 50;
const BACKOFF_MAX_MS = 1_000;

export class PartitionFollower implements LogFollower {
  readonly #deps: FollowerDeps;
  readonly #options: FollowOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(deps: FollowerDeps, options: FollowOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  run(): Promise<void> {
    this.#running ??= this.#runAll();
    return this.#running;
  }

  /** Lets batches in hand finish. The failure of run(), if any, is run()'s to report. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running?.catch(() => undefined);
  }

  async #runAll(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#deps.watch.start();
    const loops = [...this.#options.from].map(async ([partition, from]) => {
      try {
        await this.#followOne(partition, from);
      } finally {
        // One partition that cannot go on ends the others: a follower is whole or it has failed.
        this.#stop.abort();
      }
    });
    const ends = await Promise.allSettled(loops);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  async #followOne(partition: number, from: number): Promise<void> {
    const { signal } = this.#stop;
    const { recentBatch } = this.#deps;
    let next = from;
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      const recent = isFirst ? null : recentBatch(partition, next);
      const batch = recent ?? (await this.#readUntilAnswered(partition, next));
      if (batch === null) return;
      if (batch.nextOffset === next) {
        await this.#deps.watch.waitBeyond(partition, next, signal);
      } else if (!isAborted(signal)) {
        await this.#options.handle(batch);
        next = batch.nextOffset;
        if (next >= batch.head) await this.#rest();
      }
    }
  }

  async #rest(): Promise<void> {
    const { restMs = 0 } = this.#options;
    // An aborted sleep is a stop, which the loop's condition sees.
    if (restMs > 0) await sleep(restMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }

  /** Tries for ever while the log is unavailable; null when stopped meanwhile. */
  async #readUntilAnswered(partition: number, from: number): Promise<LogBatch | null> {
    const { signal } = this.#stop;
    for (let backoffMs = BACKOFF_FIRST_MS; !signal.aborted; backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS)) {
      try {
        return await this.#deps.readBatch(partition, from);
      } catch (error) {
        if (!(error instanceof LogUnavailableError)) throw error;
        this.#deps.logger.warn({ err: error, partition, backoffMs }, 'event log cannot be read');
        // An aborted sleep is a stop, which the loop's condition sees.
        await sleep(backoffMs, undefined, { signal }).catch(() => undefined);
      }
    }
    return null;
  }
}

/** A function of its own, because the compiler takes the flag it has seen false to stay so over an await. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
