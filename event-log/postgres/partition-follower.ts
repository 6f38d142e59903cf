// Follows partitions: one loop for each, which reads, hands out, and waits for more.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../platform/logger.ts';
import { type FollowOptions, type LogBatch, type LogFollower, LogUnavailableError } from '../event-log.ts';
import { type FollowPartition, PartitionLoops } from '../partition-loops.ts';
import type { HeadWatch } from './head-watch.ts';

export type FollowerDeps = {
  /** One bounded batch from an offset on, empty at the head. */
  readBatch: (partition: number, from: number) => Promise<LogBatch>;
  /** The same from memory, or null where that does not have it. Not asked first: only the log itself knows where it begins. */
  recentBatch: (partition: number, from: number) => LogBatch | null;
  watch: Pick<HeadWatch, 'start' | 'waitBeyond'>;
  logger: Logger;
};

const BACKOFF_FIRST_MS = 50;
const BACKOFF_MAX_MS = 1_000;

export class PartitionFollower implements LogFollower {
  readonly #deps: FollowerDeps;
  readonly #restMs: number;
  readonly #loops: PartitionLoops;

  constructor(deps: FollowerDeps, options: FollowOptions) {
    this.#deps = deps;
    this.#restMs = options.restMs ?? 0;
    this.#loops = new PartitionLoops(options, (...of) => this.#followOne(...of));
  }

  run(): Promise<void> {
    this.#deps.watch.start();
    return this.#loops.run();
  }

  stop(): Promise<void> {
    return this.#loops.stop();
  }

  add(partition: number, from: number): void {
    this.#loops.add(partition, from);
  }

  remove(partition: number): Promise<void> {
    return this.#loops.remove(partition);
  }

  readonly #followOne: FollowPartition = async (partition, from, hand, signal) => {
    const { recentBatch, watch } = this.#deps;
    let next = from;
    let batch = await this.#readUntilAnswered(partition, next, signal);
    while (batch !== null && !signal.aborted) {
      if (batch.nextOffset > next) {
        await hand(batch);
        next = batch.nextOffset;
        if (next >= batch.head) await pause(this.#restMs, signal);
      }
      // Where nothing is known to lie beyond, the log is not asked either: of what comes the watch is told.
      await watch.waitBeyond(partition, next, signal);
      batch = recentBatch(partition, next) ?? (await this.#readUntilAnswered(partition, next, signal));
    }
  };

  /** Tries for ever while the log is unavailable; null when stopped meanwhile. */
  async #readUntilAnswered(partition: number, from: number, signal: AbortSignal): Promise<LogBatch | null> {
    for (let backoffMs = BACKOFF_FIRST_MS; !signal.aborted; backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS)) {
      try {
        return await this.#deps.readBatch(partition, from);
      } catch (error) {
        if (!(error instanceof LogUnavailableError)) throw error;
        this.#deps.logger.warn({ err: error, partition, backoffMs }, 'event log cannot be read');
        await pause(backoffMs, signal);
      }
    }
    return null;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // An aborted sleep is an end, which the loop's condition sees.
  if (ms > 0) await sleep(ms, undefined, { signal }).catch(() => undefined);
}
