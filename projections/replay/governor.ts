// How much of the time a rebuild may work: so much that the live projection keeps up and live reads stay quick. Pure; the job observes
// and waits.
//
// Additive increase, multiplicative decrease, as in congestion control: after a bound was passed the share of working time is halved
// at once; while all is well it grows slowly. So it settles just below what hurts, without knowing what the machine is like.

export type GovernorBounds = {
  /** Offsets that the live projection may be behind the log. */
  maxLagEvents: number;
  /** Milliseconds that a typical read of the live tables may take. */
  maxReadMs: number;
};
/** `readMs` is null where the read failed, which is taken for slow. */
export type Observation = { lagEvents: number; readMs: number | null };

const MIN_SHARE = 0.05;
const INCREASE = 0.05;
const DECREASE = 0.5;
/** No single wait is longer, so that the work never looks dead. */
const MAX_PAUSE_MS = 5_000;

export class Governor {
  readonly #bounds: GovernorBounds;
  #share = 1;

  constructor(bounds: GovernorBounds) {
    this.#bounds = bounds;
  }

  /** Of the time, from 0.05 to 1. */
  get share(): number {
    return this.#share;
  }

  /** To be called regularly with what was seen last. */
  observe({ lagEvents, readMs }: Observation): void {
    const { maxLagEvents, maxReadMs } = this.#bounds;
    const isTooMuch = lagEvents > maxLagEvents || readMs === null || readMs > maxReadMs;
    this.#share = isTooMuch ? Math.max(MIN_SHARE, this.#share * DECREASE) : Math.min(1, this.#share + INCREASE);
  }

  /** How long to rest after having worked for so long. */
  pauseMs(workMs: number): number {
    return Math.min(MAX_PAUSE_MS, workMs * (1 / this.#share - 1));
  }
}
