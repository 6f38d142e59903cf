// Starting in order and stopping in reverse: the last part opened is the first one drained. Every stop has a deadline, because
// one part that hangs must not keep the others from being closed.
import type { EventEmitter } from 'node:events';
import type { Logger } from './logger.ts';

/** `timeoutMs`: of a part that needs longer than the others. */
export type Stoppable = { name: string; stop: () => Promise<void>; timeoutMs?: number | undefined };

export type LifecycleOptions = {
  log: Logger;
  /** Called once everything is stopped after a part failed: ends the process with exit code 1. */
  onFailure: () => void;
  stopTimeoutMs?: number;
};

export class Lifecycle {
  readonly #parts: Stoppable[] = [];
  readonly #log: Logger;
  readonly #onFailure: () => void;
  readonly #stopTimeoutMs: number;
  #stopping: Promise<void> | undefined;

  constructor(options: LifecycleOptions) {
    this.#log = options.log;
    this.#onFailure = options.onFailure;
    this.#stopTimeoutMs = options.stopTimeoutMs ?? 10_000;
  }

  /** Remembers how to stop a part that has just been opened, and how long that may take where it is longer than for others. */
  add(name: string, stop: () => Promise<void>, timeoutMs?: number): void {
    this.#parts.push({ name, stop, timeoutMs });
  }

  /**
   * A part that runs until it is stopped. Its failure is the failure of the process: it is logged, everything else is stopped
   * in order, and the process ends so that the supervisor starts it anew.
   */
  run(name: string, part: { run(): Promise<void>; stop(): Promise<void> }): void {
    this.add(name, () => part.stop());
    part.run().catch((error: unknown) => {
      this.#log.fatal({ err: error, part: name }, 'a part of the role failed');
      void this.stop().finally(this.#onFailure);
    });
  }

  /** Stops everything in reverse. Safe to call twice: both calls wait for the same stop. Never rejects. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    for (const part of this.#parts.reverse()) {
      const started = Date.now();
      try {
        await withDeadline(part.stop(), part.timeoutMs ?? this.#stopTimeoutMs);
        this.#log.info({ part: part.name, tookMs: Date.now() - started }, 'stopped');
      } catch (error) {
        this.#log.error({ err: error, part: part.name }, 'a part did not stop cleanly');
      }
    }
  }
}

/**
 * Ends the process after an orderly stop on SIGINT or SIGTERM; a second signal ends it at once. One keypress may arrive as two:
 * npm hands a terminal's Ctrl-C on to a program that had it from the terminal already. So two within SAME_KEYPRESS_MS are one.
 */
export function stopOnSignals(
  lifecycle: Lifecycle,
  exit: (code: number) => void,
  { signals = process as EventEmitter, now = () => performance.now() } = {},
): void {
  let firstAt: number | null = null;
  const onSignal = (): void => {
    if (firstAt === null) {
      firstAt = now();
      void lifecycle.stop().then(() => exit(0));
    } else if (now() - firstAt > SAME_KEYPRESS_MS) exit(130);
  };
  signals.on('SIGINT', onSignal);
  signals.on('SIGTERM', onSignal);
}

const SAME_KEYPRESS_MS = 300;

/** The promise's outcome, or a rejection when it takes longer. */
export async function withDeadline<Value>(promise: Promise<Value>, timeoutMs: number): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
