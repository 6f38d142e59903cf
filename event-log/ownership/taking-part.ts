// What every kind of membership has in common: it is tried again for ever, tells changes only, hands over when asked to, and leaves
// when it is stopped. How a group is joined, and how one stays in it, is the adapter's (Membership).
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { withDeadline } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/logger.ts';
import { systemTime } from '../../platform/time.ts';
import { LogUnavailableError } from '../event-log.ts';
import type { Assignment, Ownership, OwnershipOptions } from './ownership.ts';

export type Membership = {
  /**
   * Connects and takes part until `part.signal` aborts. Throws LogUnavailableError when anything breaks, and is called again
   * then; it keeps what it needs for claiming what it had. Any other error ends run().
   */
  takePart(part: Part): Promise<void>;
  /** Says that we go, over a connection of its own. Called once, after takePart has ended; given up after LEAVE_TIMEOUT_MS. */
  leave(): Promise<void>;
};

/** What an adapter gets of the part it plays. */
export type Part = {
  /** Aborts at stop(). */
  readonly signal: AbortSignal;
  /** Whether all has to be handed over. Once true, it stays so. */
  readonly isLeaving: boolean;
  /** Resolves after so many milliseconds, or at once when something changed here since the last rest. */
  rest(ms: number): Promise<void>;
  /** Ends the rest under way, or the next one. */
  wake(): void;
  /** Tells an assignment that is not the last one. `asLeaving`: it was decided by somebody who knew that we are leaving. */
  tell(assignment: Assignment, asLeaving: boolean): void;
};

const BACKOFF_FIRST_MS = 50;
const BACKOFF_MAX_MS = 1_000;
/** Milliseconds that leaving may take: beyond it the others have to wait until the session has run out. */
const LEAVE_TIMEOUT_MS = 2_000;

export class TakingPart implements Ownership {
  readonly #membership: Membership;
  readonly #onAssigned: (assignment: Assignment) => void;
  readonly #logger: Logger | undefined;
  readonly #stop = new AbortController();
  readonly #handedOver = Promise.withResolvers<void>();
  #waking = new AbortController();
  #isLeaving = false;
  #told: Assignment | undefined;
  #running: Promise<void> | undefined;

  constructor(membership: Membership, options: OwnershipOptions, logger: Logger | undefined) {
    const { role, partitions, onAssigned } = options;
    assert.match(role, /^[a-z][a-z0-9-]{0,49}$/, 'a role is named with lower-case letters, digits and hyphens');
    assert.ok(Number.isSafeInteger(partitions) && partitions > 0, 'there must be partitions to share');
    this.#membership = membership;
    this.#onAssigned = onAssigned;
    this.#logger = logger;
  }

  run(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  async handOver(waitMs: number): Promise<void> {
    this.#isLeaving = true;
    this.#wake();
    if (this.#running === undefined || this.#stop.signal.aborted) return;
    const waited = new AbortController();
    // One that stops or fails meanwhile has nothing to wait for any more.
    const ended = this.#running.catch(() => undefined);
    await Promise.race([this.#handedOver.promise, ended, systemTime.pause(waitMs, waited.signal)]);
    waited.abort();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    // Why run() failed is told to whoever called run().
    await this.#running?.catch(() => undefined);
  }

  async #run(): Promise<void> {
    const part = this.#part();
    const isStopped = (): boolean => this.#stop.signal.aborted;
    let backoffMs = BACKOFF_FIRST_MS;
    try {
      while (!isStopped()) {
        const began = systemTime.now();
        try {
          await this.#membership.takePart(part);
        } catch (error) {
          if (!(error instanceof LogUnavailableError)) throw error;
          if (isStopped()) break;
          // One that has lasted is not the last outage going on.
          if (systemTime.now() - began > BACKOFF_MAX_MS) backoffMs = BACKOFF_FIRST_MS;
          this.#logger?.warn(
            { err: error, backoffMs },
            'ownership cannot be asked about; what was assigned last holds',
          );
          await systemTime.pause(backoffMs, part.signal);
          backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
        }
      }
    } finally {
      await this.#leave();
    }
  }

  async #leave(): Promise<void> {
    try {
      await withDeadline(this.#membership.leave(), LEAVE_TIMEOUT_MS);
    } catch (error) {
      this.#logger?.warn(
        { err: error },
        'ownership was left without a word; others take over when the session has run out',
      );
    }
  }

  #part(): Part {
    const isLeaving = () => this.#isLeaving;
    return {
      signal: this.#stop.signal,
      get isLeaving() {
        return isLeaving();
      },
      rest: (ms) => this.#rest(ms),
      wake: () => this.#wake(),
      tell: (assignment, asLeaving) => this.#tell(assignment, asLeaving),
    };
  }

  async #rest(ms: number): Promise<void> {
    await systemTime.pause(ms, this.#waking.signal);
    if (!this.#stop.signal.aborted) this.#waking = new AbortController();
  }

  #wake(): void {
    this.#waking.abort();
  }

  #tell(assignment: Assignment, asLeaving: boolean): void {
    // Nothing is told after stop(): whoever stopped has let go of everything already.
    if (!this.#stop.signal.aborted && !isDeepStrictEqual(assignment, this.#told)) {
      this.#told = assignment;
      this.#onAssigned(assignment);
    }
    if (asLeaving) this.#handedOver.resolve();
  }
}
