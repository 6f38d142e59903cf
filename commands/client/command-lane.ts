/* A LANE carries the commands of one partition's rooms to the process that decides them, in the order in which they were handed in.
 *
 * One request is under way at a time. What comes meanwhile waits, and leaves together with the next one: requests grow with the
 * load, as appends do on the other side. Two requests at a time would run on two connections, where the later one can arrive
 * first; numbering the commands instead would make the receiver keep state per sender.
 *
 * A request that failed on its way is repeated before anything else leaves, wherever its commands have to go by then: each command
 * has its commandId, so at worst the same answer is given twice. A request is given up when all its commands have been told
 * something, and what waits goes on. A command whose time is up is told log_unavailable where some attempt may have reached
 * somebody: it may still be done, and late. Where none can have, it is told partition_moving.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../platform/logger.ts';
import type { Accepted, Command } from '../../schemas/commands.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { isRejection, type Rejection, type RejectionCode, reject } from '../../schemas/rejections.ts';
import { type Answer, type Waiting, WaitingList } from '../partition/waiting-list.ts';
import { MAX_COMMANDS_PER_REQUEST } from './command-wire.ts';

/** `hops`: how often any of these commands was passed on already, at most. */
export type LaneRequest = { readonly commands: readonly Command[]; readonly hops: number; body(): Buffer };

export type CommandLaneDeps = {
  /**
   * One attempt: one answer a command, in their order. Rejects when it failed on its way, and when the signal says so; with
   * NotSentError where it cannot have reached anybody.
   */
  post: (request: LaneRequest, signal: AbortSignal) => Promise<Answer[]>;
  logger: Logger;
};

/** Nobody can have got the commands: it is not known who decides them, or that process took no connection. */
export class NotSentError extends Error {
  override readonly name = 'NotSentError';
  readonly code = 'not_sent';
  readonly retryable = true;
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

const FIRST_PAUSE_MS = 25;
/** Between two attempts; they end with the time of the commands. */
const MAX_PAUSE_MS = 200;
/** Bytes of one request's commands: what the receiver takes, less what surrounds them. */
const REQUEST_BYTES = LIMITS.httpBodyBytes - 1_024;
/** Answers that say that nothing was done: no word on what became of an earlier attempt. */
const NOT_DONE: ReadonlySet<RejectionCode> = new Set(['busy', 'partition_moving', 'unavailable']);
const MOVING_RETRY_MS = 1_000;

/** `isUnknown`: an attempt that nobody answered may have reached somebody. */
type Passenger = Waiting & { command: Command; json: string; bytes: number; hops: number; isUnknown: boolean };
/** `attempt` ends the attempt that is being made, `givenUp` all of them. */
type Departure = { readonly batch: readonly Passenger[]; readonly givenUp: AbortController; attempt: AbortController };

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

  /** `cameAt` is the time now, by the clock of who calls giveUpUntil(). */
  push(command: Command, hops: number, cameAt: number): Promise<Answer> {
    return new Promise((resolve) => {
      const json = JSON.stringify(command);
      const bytes = Buffer.byteLength(json) + 1;
      this.#waiting.push({ command, json, bytes, hops, cameAt, resolve, isAnswered: false, isUnknown: false });
      this.#schedule();
    });
  }

  /** The time of all that came at or before that time is up. Gives up the request under way if nobody waits for it any more. */
  giveUpUntil(time: number): void {
    this.#waiting.answerUntil(time, outOfTime);
    if (this.#underWay && isAnswered(this.#underWay.batch)) this.#underWay.givenUp.abort();
  }

  /** The commands have to go elsewhere from now on: makes the attempt under way again, at once. */
  redirect(): void {
    this.#underWay?.attempt.abort();
  }

  /** What other callers have to say in this turn of the event loop shall come along. */
  #schedule(): void {
    if (this.#isScheduled || this.#underWay) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const batch = this.#takeBatch();
      if (batch.length === 0) return;
      this.#underWay = { batch, givenUp: new AbortController(), attempt: new AbortController() };
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

  /** Never rejects: every command of the batch is answered here or by giveUpUntil(). */
  async #deliver(departure: Departure): Promise<void> {
    const { batch, givenUp } = departure;
    for (let failures = 0; !isAnswered(batch) && !givenUp.signal.aborted; failures++) {
      departure.attempt = new AbortController();
      const signal = AbortSignal.any([givenUp.signal, departure.attempt.signal]);
      await this.#attempt(
        batch.filter((waiting) => !waiting.isAnswered),
        signal,
        failures,
      );
      if (isAnswered(batch) || signal.aborted) continue;
      await pause(Math.min(FIRST_PAUSE_MS * 2 ** Math.min(failures, 10), MAX_PAUSE_MS), signal);
    }
    this.#waiting.dropAnswered();
  }

  async #attempt(batch: readonly Passenger[], signal: AbortSignal, failures: number): Promise<void> {
    const wasUnknown = batch.map(({ isUnknown }) => isUnknown);
    for (const waiting of batch) waiting.isUnknown = true;
    try {
      const answers = await this.#deps.post(toRequest(batch), signal);
      for (const [index, waiting] of batch.entries()) {
        waiting.isUnknown = wasUnknown[index] ?? true;
        this.#take(waiting, answers[index] ?? reject('internal'));
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof RefusedRequestError) {
        this.#deps.logger.error({ err: error }, 'the commands role refuses our requests');
        for (const waiting of batch) this.#waiting.answer(waiting, reject('unavailable'));
      } else if (error instanceof NotSentError) {
        for (const [index, waiting] of batch.entries()) {
          waiting.isUnknown = wasUnknown[index] ?? true;
          this.#take(waiting, reject('partition_moving'));
        }
      } else if (failures === 0) {
        this.#deps.logger.warn({ err: error }, 'a request with commands failed: trying again');
      }
    }
  }

  /** Passes the answer on. Where the room is just moving, who took the command from its sender tries on; others say so at once. */
  #take(waiting: Passenger, answer: Answer): void {
    const isMoving = isRejection(answer) && answer.rejected === 'partition_moving';
    if (isMoving && waiting.hops === 0) return;
    this.#waiting.answer(waiting, sayWhatIsKnown(waiting, answer));
  }
}

/** An answer of "nothing was done" is no answer where an earlier attempt may have done it. */
function sayWhatIsKnown(waiting: Passenger, answer: Accepted | Rejection): Answer {
  const saysNothing = isRejection(answer) && NOT_DONE.has(answer.rejected);
  return saysNothing && waiting.isUnknown ? reject('log_unavailable') : answer;
}

function outOfTime(waiting: Passenger): Answer {
  if (waiting.isUnknown) return reject('log_unavailable');
  return { ...reject('partition_moving'), retryAfterMs: MOVING_RETRY_MS };
}

function toRequest(batch: readonly Passenger[]): LaneRequest {
  return {
    commands: batch.map(({ command }) => command),
    hops: batch.reduce((most, { hops }) => Math.max(most, hops), 0),
    body: () => Buffer.from(`{"commands":[${batch.map(({ json }) => json).join(',')}]}`),
  };
}

function isAnswered(batch: readonly Passenger[]): boolean {
  return batch.every((waiting) => waiting.isAnswered);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // Being redirected or given up meanwhile is no failure; the caller looks at it next.
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
