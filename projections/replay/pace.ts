// When the next chunk may be written: not while the job is paused, not faster than its rate, and with the rests that the governor wants.
import type { Time } from '../../platform/time.ts';
import type { Governor } from './governor.ts';

export type PaceOptions = {
  governor: Governor;
  time: Time;
  signal: AbortSignal;
  /** Events a second over all lanes; undefined: as many as can be. */
  ratePerSecond?: number | undefined;
};

const LOOK_MS = 200;

export class Pace {
  readonly #options: PaceOptions;
  /** Since when each partition's lane works. */
  readonly #workingSince = new Map<number, number>();
  /** Before this moment the rate allows no further chunk. */
  #freeAt = 0;
  isPaused = false;

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  /** Resolves when the chunk may be written, or at once when the signal is aborted. */
  async beforeChunk(partition: number, events: number): Promise<void> {
    const { governor, time, signal } = this.#options;
    const since = this.#workingSince.get(partition);
    if (since !== undefined) await this.#rest(governor.pauseMs(time.now() - since));
    await this.#keepRate(events);
    while (this.isPaused && !signal.aborted) await time.pause(LOOK_MS, signal);
    this.#workingSince.set(partition, time.now());
  }

  async #keepRate(events: number): Promise<void> {
    const { time, ratePerSecond } = this.#options;
    if (ratePerSecond === undefined) return;
    const nowMs = time.now();
    const startMs = Math.max(nowMs, this.#freeAt);
    this.#freeAt = startMs + (events / ratePerSecond) * 1_000;
    await this.#rest(startMs - nowMs);
  }

  async #rest(ms: number): Promise<void> {
    const { time, signal } = this.#options;
    if (ms >= 1 && !signal.aborted) await time.pause(ms, signal);
  }
}
