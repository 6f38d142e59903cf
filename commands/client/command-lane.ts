/* A LANE carries the commands of some rooms to the commands role, in the order in which they were handed in.
 *
 * One request is under way at a time. What comes meanwhile waits, and leaves together with the next one: requests grow with the
 * load, as appends do on the other side. Two requests at a time would run on two connections, where the later one can arrive
 * first; numbering the commands instead would make the receiver keep state per sender.
 *
 * A request that failed on its way is repeated before anything else leaves: each command has its commandId, so at worst the same
 * answer is given twice. A request is given up when all its commands have been told something, and what waits goes on. Such a
 * command was told log_unavailable, because nobody here knows what became of it: it may still be done, and late.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../platform/logger.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { reject } from '../../schemas/rejections.ts';
import { type Answer, type Waiting, WaitingList } from '../partition/waiting-list.ts';
import { MAX_COMMANDS_PER_REQUEST } from './command-wire.ts';

export type CommandLaneDeps = {
  /** One attempt at a request with so many commands. Rejects when it failed on its way, and when the signal says so. */
  post: (body: Buffer, count: number, signal: AbortSignal) => Promise<Answer[]>;
  logger: Logger;
};

const FIRST_PAUSE_MS = 25;
/** Between two attempts; they end with the time of the commands. */
const MAX_PAUSE_MS = 200;
/** Bytes of one request's commands: what the receiver takes, less what surrounds them. */
const REQUEST_BYTES = LIMITS.httpBodyBytes - 1_024;

type Passenger = Waiting & { readonly json: string; readonly bytes: number };
type Departure = { readonly batch: readonly Passenger[]; readonly givenUp: AbortController };

export class CommandLane {
  readonly #deps: CommandLaneDeps;
  readonly #waiting = new WaitingList<Passenger>(() => undefined);
  /** Taken, and did not fit into the last request any more. */
  #next: Passenger | undefined;
  #underWay: Departure | undefined;
  #isScheduled = false;

  constructor(deps: CommandLaneDeps) {
    this.#deps = deps;
  }

  /** How many are not under way. */
  get untaken(): number {
    return this.#waiting.untaken;
  }

  get isEmpty(): boolean {
    return this.#waiting.isEmpty;
  }

  /** `cameAt` is the time now, by the clock of who calls answerUntil(). */
  push(json: string, cameAt: number): Promise<Answer> {
    return new Promise((resolve) => {
      this.#waiting.push({ json, bytes: Buffer.byteLength(json) + 1, cameAt, resolve, isAnswered: false });
      this.#schedule();
    });
  }

  /** Answers all that came at or before that time. Gives up the request under way if nobody waits for it any more. */
  answerUntil(time: number, answer: Answer): void {
    this.#waiting.answerUntil(time, answer);
    if (this.#underWay && isAnswered(this.#underWay.batch)) this.#underWay.givenUp.abort();
  }

  /** What other callers have to say in this turn of the event loop shall come along. */
  #schedule(): void {
    if (this.#isScheduled || this.#underWay) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const batch = this.#takeBatch();
      if (batch.length === 0) return;
      this.#underWay = { batch, givenUp: new AbortController() };
      void this.#deliver(this.#underWay).finally(() => {
        this.#underWay = undefined;
        this.#schedule();
      });
    });
  }

  #takeBatch(): Passenger[] {
    const batch: Passenger[] = [];
    let bytes = 0;
    while (batch.length < MAX_COMMANDS_PER_REQUEST) {
      if (!this.#next || this.#next.isAnswered) this.#next = this.#waiting.take();
      if (!this.#next) break;
      bytes += this.#next.bytes;
      if (bytes > REQUEST_BYTES && batch.length > 0) break;
      batch.push(this.#next);
      this.#next = undefined;
    }
    return batch;
  }

  /** Never rejects: every command of the batch is answered here or by answerUntil(). */
  async #deliver({ batch, givenUp: { signal } }: Departure): Promise<void> {
    const body = Buffer.from(`{"commands":[${batch.map(({ json }) => json).join(',')}]}`);
    for (let attempt = 0; !isAnswered(batch); attempt++) {
      try {
        const answers = await this.#deps.post(body, batch.length, signal);
        for (const [index, waiting] of batch.entries())
          this.#waiting.answer(waiting, answers[index] ?? reject('internal'));
      } catch (error) {
        if (signal.aborted) break;
        if (error instanceof RefusedRequestError) {
          this.#deps.logger.error({ err: error }, 'the commands role refuses our requests');
          for (const waiting of batch) this.#waiting.answer(waiting, reject('unavailable'));
        } else {
          if (attempt === 0)
            this.#deps.logger.warn({ err: error }, 'a request to the commands role failed: trying again');
          await pause(Math.min(FIRST_PAUSE_MS * 2 ** Math.min(attempt, 10), MAX_PAUSE_MS), signal);
        }
      }
    }
    this.#waiting.dropAnswered();
  }
}

/** The other side understood us and will not do it: another secret, or another version. Repeating does not help. */
export class RefusedRequestError extends Error {
  override readonly name = 'RefusedRequestError';
  readonly code = 'refused_request';
  readonly retryable = false;

  constructor(status: number) {
    super(`the commands role answered ${status}`);
  }
}

function isAnswered(batch: readonly Passenger[]): boolean {
  return batch.every((waiting) => waiting.isAnswered);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    // Being given up meanwhile is no failure; the caller looks at it next.
    if (!signal.aborted) throw error;
  }
}
