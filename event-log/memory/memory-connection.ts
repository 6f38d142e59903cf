// The way between a handle and the store, with what networks do to it (ConnectionFaults of the contract says what each fault
// means). Requests arrive one to three turns of the event loop later, as they would through a socket: nothing is answered at
// once, and two writers do not march in step, each one's void records in the way of the other for ever.
import { LogUnavailableError, OutcomeUnknownError } from '../event-log.ts';
import type { ConnectionFaults } from '../event-log-contract.ts';

/** `read` leaves nothing behind when it fails; after a failed `write` nobody knows. */
type RequestKind = 'read' | 'write';
/** Of the event loop, until a request has come through. */
const MOST_TURNS = 3;

type Waiting = { fail: (reason: string) => void };

export class MemoryConnection {
  readonly #timeoutMs: number;
  readonly #latencyMs: number;
  readonly #waiting = new Set<Waiting>();
  readonly #written: (() => unknown)[] = [];
  #held: (() => unknown)[] = [];
  #requests: 'pass' | 'swallow' | 'hold' = 'pass';
  #answers: 'pass' | 'swallow' = 'pass';
  #refused = false;
  #closed = false;
  #swallowed = 0;
  #noise: number;

  /** `seed` makes the delays, the same ones for the same seed; `latencyMs` comes on top of them. */
  constructor(options: { timeoutMs: number; latencyMs: number; seed: number }) {
    this.#timeoutMs = options.timeoutMs;
    this.#latencyMs = options.latencyMs;
    this.#noise = options.seed;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** What the store answers. Throws LogUnavailableError, or for a write that was sent OutcomeUnknownError. */
  ask<Answer>(kind: RequestKind, request: () => Answer): Promise<Answer> {
    if (this.#closed) return Promise.reject(new LogUnavailableError('the log is closed'));
    if (this.#refused) return Promise.reject(new LogUnavailableError('the log refuses connections'));
    if (kind === 'write') this.#written.push(request);
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        fail: (reason) => {
          finish();
          reject(kind === 'write' ? new OutcomeUnknownError(reason) : new LogUnavailableError(reason));
        },
      };
      const onTimeout = (): void => {
        if (!this.#waiting.has(waiting)) return;
        this.#renew();
        waiting.fail(`no answer within ${this.#timeoutMs} ms`);
      };
      // A process that was held up is late for everything at once: what is on its way then is let through before it counts as lost.
      const timer = setTimeout(() => afterTurns(MOST_TURNS + 1, onTimeout), this.#timeoutMs);
      const finish = () => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
      };
      this.#waiting.add(waiting);
      this.#deliver(request, (answer) => {
        if (!this.#waiting.has(waiting)) return;
        finish();
        if (answer.failed) reject(answer.error);
        else resolve(answer.value);
      });
    });
  }

  close(): void {
    this.#closed = true;
    this.cut();
  }

  cut(): void {
    this.#renew();
    for (const waiting of [...this.#waiting]) waiting.fail('the connection was cut');
  }

  readonly faults: ConnectionFaults = {
    cut: () => this.cut(),
    swallowAnswers: () => {
      this.#answers = 'swallow';
    },
    swallowRequests: () => {
      this.#requests = 'swallow';
    },
    swallowedBytes: () => this.#swallowed,
    holdRequests: () => {
      this.#requests = 'hold';
    },
    releaseRequests: () => {
      for (const request of this.#held.splice(0)) request();
      return Promise.resolve();
    },
    refuse: () => {
      this.#refused = true;
      this.cut();
      return Promise.resolve();
    },
    accept: () => {
      this.#refused = false;
      return Promise.resolve();
    },
    replay: () => {
      for (const request of [...this.#written]) request();
      return Promise.resolve(this.#written.length);
    },
  };

  /** The faults are those of one connection; the next one is whole. What was held stays on its way. */
  #renew(): void {
    this.#requests = 'pass';
    this.#answers = 'pass';
  }

  #deliver<Answer>(request: () => Answer, answer: (outcome: Outcome<Answer>) => void): void {
    if (this.#requests === 'swallow') this.#swallowed++;
    else if (this.#requests === 'hold') this.#held.push(request);
    else {
      const answers = this.#answers;
      this.#afterSomeTurns(() => {
        const outcome = outcomeOf(request);
        if (answers === 'pass' && this.#answers === 'pass') answer(outcome);
      });
    }
  }

  #afterSomeTurns(run: () => void): void {
    this.#noise = (Math.imul(this.#noise, 1_103_515_245) + 12_345) >>> 0;
    const turns = turnsOf(this.#noise);
    if (this.#latencyMs > 0) setTimeout(() => afterTurns(turns - 1, run), this.#latencyMs);
    else afterTurns(turns, run);
  }
}

/** A linear congruential generator's high bits say how many turns. */
function turnsOf(noise: number): number {
  return 1 + ((noise >>> 16) % MOST_TURNS);
}

function afterTurns(turns: number, run: () => void): void {
  if (turns === 0) run();
  else setImmediate(() => afterTurns(turns - 1, run));
}

type Outcome<Answer> = { failed: false; value: Answer } | { failed: true; error: unknown };

function outcomeOf<Answer>(request: () => Answer): Outcome<Answer> {
  try {
    return { failed: false, value: request() };
  } catch (error) {
    return { failed: true, error };
  }
}
