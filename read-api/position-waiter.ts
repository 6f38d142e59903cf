// Waits until history has a position of the log. All who wait share one look at the checkpoints at a time, so their number costs
// PostgreSQL nothing.
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../platform/clock.ts';

export type LogPosition = { partition: number; offset: number };

/** `unknown`: the log has no such partition. `full`: as many wait as may. */
export type WaitOutcome = 'reached' | 'behind' | 'unknown' | 'full';

export type PositionWaiterOptions = {
  checkpoints: () => Promise<ReadonlyMap<number, number>>;
  clock: Clock;
  /** Milliseconds until a wait that names no other limit ends with `behind`. */
  timeoutMs: number;
  /** Waits at a time; one more ends with `full` at once. */
  maxWaiting: number;
};

/** A new look at the checkpoints begins so long after the last one ended. */
const PAUSE_MS = 5;

export class PositionWaiter {
  readonly #options: PositionWaiterOptions;
  #looking: Promise<ReadonlyMap<number, number>> | undefined;
  /** Of the last look. Checkpoints only grow, so what was reached then still is. */
  #known: ReadonlyMap<number, number> = new Map();
  #knownSince = 0;
  #waiting = 0;

  constructor(options: PositionWaiterOptions) {
    this.#options = options;
  }

  /** Resolves once history has what lies at the position. Rejects when the checkpoints cannot be read. */
  async wait({ partition, offset }: LogPosition, limitMs?: number): Promise<WaitOutcome> {
    const { clock, timeoutMs, maxWaiting } = this.#options;
    if ((this.#known.get(partition) ?? -1) > offset) return 'reached';
    if (this.#waiting >= maxWaiting) return 'full';
    const deadline = clock.now() + (limitMs ?? timeoutMs);
    this.#waiting += 1;
    try {
      for (;;) {
        const checkpoints = await this.#look();
        const checkpoint = checkpoints.get(partition);
        if (checkpoint === undefined && checkpoints.size > 0) return 'unknown';
        if (checkpoint !== undefined && checkpoint > offset) return 'reached';
        if (clock.now() >= deadline) return 'behind';
        await delay(PAUSE_MS);
      }
    } finally {
      this.#waiting -= 1;
    }
  }

  /** The checkpoints as they were at most so many milliseconds ago. They only grow, so at least this much is there. */
  async checkpoints(maxAgeMs: number): Promise<ReadonlyMap<number, number>> {
    const isFresh = this.#known.size > 0 && this.#options.clock.now() - this.#knownSince <= maxAgeMs;
    return isFresh ? this.#known : this.#look();
  }

  #look(): Promise<ReadonlyMap<number, number>> {
    this.#looking ??= this.#lookAnew();
    return this.#looking;
  }

  async #lookAnew(): Promise<ReadonlyMap<number, number>> {
    try {
      const begunAt = this.#options.clock.now();
      this.#known = await this.#options.checkpoints();
      this.#knownSince = begunAt;
      return this.#known;
    } finally {
      this.#looking = undefined;
    }
  }
}
