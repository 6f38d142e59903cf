// A process of the product under a supervisor, as systemd or Kubernetes are one: whatever ends it, it is started again a moment
// later. What it says goes to a file.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { productEnv } from '../../e2e/support/role-process.ts';
import { PROJECT_ROOT } from '../../support/sources.ts';

export type ProcessOptions = {
  /** Unique in the cluster: `commands-1`. */
  name: string;
  /** Run from the project's root. */
  command: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Answers 200 while everything that it needs is there. */
  readyUrl: string;
  logFile: string;
};

/** One end of the process. `wanted`: it was told to. */
export type Ending = { at: number; code: number | null; signal: NodeJS.Signals | null; wanted: boolean };

export type Readiness = { isReady: boolean; text: string };

const RESTART_MS = 300;
/** A process that ends by itself again and again is started at this pace at last. */
const MAX_RESTART_MS = 3_000;
const STOP_MS = 20_000;
/** Milliseconds in which a process may still be loading its modules, on a busy machine. */
const LOADING_MS = 3_000;
const READY_TIMEOUT_MS = 3_000;
const POLL_MS = 50;

export class SupervisedProcess {
  readonly name: string;
  readonly readyUrl: string;
  readonly logFile: string;
  readonly endings: Ending[] = [];
  readonly #options: ProcessOptions;
  #child: ChildProcess | undefined;
  #isSupervised = false;
  #isEndWanted = false;
  #quickEnds = 0;
  #startedAt = 0;

  constructor(options: ProcessOptions) {
    this.name = options.name;
    this.readyUrl = options.readyUrl;
    this.logFile = options.logFile;
    this.#options = options;
  }

  /** 0 while there is none. */
  get pid(): number {
    return this.#isRunning() ? (this.#child?.pid ?? 0) : 0;
  }

  /** From now on there is always one, until stop(). */
  start(): void {
    this.#isSupervised = true;
    this.#spawn();
  }

  /** Ends it as a crash does. The supervisor starts it again. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Asks it to end, and resolves with its exit code when it has; the supervisor starts it again. Null: it had to be killed. */
  terminate(): Promise<number | null> {
    return this.#end('SIGTERM');
  }

  /** Ends it for good and at once, without waiting. */
  abandon(): void {
    this.#isSupervised = false;
    this.#child?.kill('SIGKILL');
  }

  /** Stops it in the middle of whatever it does; it knows nothing of the time until thaw(). */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Ends it for good, in order. Resolves with the exit code; null where it had to be killed. */
  async stop(): Promise<number | null> {
    this.#isSupervised = false;
    this.thaw();
    return this.#end('SIGTERM');
  }

  async readiness(): Promise<Readiness> {
    try {
      const answer = await fetch(this.readyUrl, { signal: AbortSignal.timeout(READY_TIMEOUT_MS) });
      return { isReady: answer.status === 200, text: `${answer.status} ${await answer.text()}` };
    } catch (error) {
      return { isReady: false, text: error instanceof Error ? `${error.message} ${String(error.cause ?? '')}` : '' };
    }
  }

  /** Rejects with what it last said of itself. */
  async untilReady(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const { isReady, text } = await this.readiness();
      if (isReady) return;
      if (performance.now() > deadline) throw new Error(`${this.name} is not ready after ${timeoutMs} ms: ${text}`);
      await delay(POLL_MS);
    }
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (!child || !this.#isRunning()) return null;
    this.#isEndWanted = true;
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    const ended = once(child, 'exit');
    const ranMs = performance.now() - this.#startedAt;
    child.kill(signal);
    await ended;
    clearTimeout(late);
    // One that is still being loaded has nothing yet that takes the signal, and nothing to bring to an end either.
    if (child.signalCode === signal && ranMs < LOADING_MS) return 0;
    return child.exitCode;
  }

  #isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  #spawn(): void {
    const { command, env, logFile } = this.#options;
    const log = openSync(logFile, 'a');
    const [program = '', ...args] = command;
    const child = spawn(program, args, {
      cwd: PROJECT_ROOT,
      env: productEnv(env),
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#child = child;
    this.#isEndWanted = false;
    const startedAt = performance.now();
    this.#startedAt = startedAt;
    child.once('exit', (code, signal) => {
      this.endings.push({ at: Date.now(), code, signal, wanted: this.#isEndWanted });
      if (!this.#isSupervised) return;
      this.#quickEnds = performance.now() - startedAt < MAX_RESTART_MS ? this.#quickEnds + 1 : 0;
      setTimeout(
        () => this.#isSupervised && this.#spawn(),
        Math.min(RESTART_MS * 2 ** this.#quickEnds, MAX_RESTART_MS),
      );
    });
  }
}
