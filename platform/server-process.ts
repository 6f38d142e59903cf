/* Starts a foreign server (PostgreSQL, Kafka, …) as a child process that this process answers for.
 *
 * - It gets a session of its own: Ctrl-C in the terminal goes to everything in the terminal's foreground group, and would end the
 *   database before the program that is still writing to it. We stop it ourselves, in order.
 * - It does not outlive us. On Linux the kernel sends it a signal when we die, however we die (`setpriv --pdeathsig`, part of
 *   util-linux); everywhere, an exit handler does the same for every end but SIGKILL.
 * - What it says goes to a log file, the end of which becomes part of the error when it does not come up.
 */
import { spawn } from 'node:child_process';
import { mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { identityOf, type ProcessIdentity, type StopStep, signalProcess, stopProcess } from './process-identity.ts';
import { commandSucceeds } from './run-command.ts';

export type ServerCommand = {
  /** For messages: `kafka`, `postgres`, … */
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly logFile: string;
  /** What the server gets when this process dies without having stopped it. */
  readonly deathSignal: NodeJS.Signals;
  /** Put between the death signal's wrapper and nothing else, for example `unshare …`; see postgres-account.ts. */
  readonly prefix?: readonly string[];
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
};

export type WaitOptions = {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
};

/** A server that did not start or did not answer in time; the message ends with the last lines of its log. */
export class ServerStartError extends Error {
  override readonly name = 'ServerStartError';
  readonly code = 'server_start';
  readonly retryable = false;
}

const MAX_LOG_BYTES = 20_000_000;
const LOG_TAIL_BYTES = 4_000;
const FIRST_PAUSE_MS = 10;
const MAX_PAUSE_MS = 100;

/** A running child. Made by `startServerProcess`; `stop` may be called any number of times. */
export class ServerProcess {
  readonly name: string;
  readonly identity: ProcessIdentity;
  readonly logFile: string;
  readonly #logStart: number;
  readonly #deathSignal: NodeJS.Signals;
  readonly #onOurExit: () => void;
  #exit: string | undefined;

  constructor(command: ServerCommand, identity: ProcessIdentity, logStart: number) {
    this.name = command.name;
    this.identity = identity;
    this.logFile = command.logFile;
    this.#logStart = logStart;
    this.#deathSignal = command.deathSignal;
    this.#onOurExit = () => {
      if (this.#exit === undefined) signalProcess(this.identity.pid, this.#deathSignal);
    };
    process.once('exit', this.#onOurExit);
  }

  get pid(): number {
    return this.identity.pid;
  }

  /** How it ended (`status 1`, `signal SIGKILL`); undefined while it runs. */
  get exit(): string | undefined {
    return this.#exit;
  }

  /** Called once by the child's exit event. */
  noteExit(status: number | null, signal: string | null): void {
    this.#exit = signal === null ? `status ${status}` : `signal ${signal}`;
    process.off('exit', this.#onOurExit);
  }

  /** What it has written to its log since this start, at most the last 4,000 bytes. */
  logTail(): Promise<string> {
    return readTail(this.logFile, this.#logStart);
  }

  /**
   * Calls `probe` until it resolves. Rejects with ServerStartError when the process ends before that or after `timeoutMs`
   * (then with the probe's last error as the cause), and with the signal's reason when that is aborted.
   */
  async waitUntilAnswering(probe: () => Promise<void>, { timeoutMs, signal }: WaitOptions): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      signal?.throwIfAborted();
      let failure: unknown;
      try {
        await probe();
        return;
      } catch (error) {
        failure = error;
      }
      if (this.#exit !== undefined) {
        throw new ServerStartError(await this.#withLog(`${this.name} ended with ${this.#exit} while starting`));
      }
      if (performance.now() > deadline) {
        const text = `${this.name} (pid ${this.pid}) does not answer after ${timeoutMs / 1000} s: ${describe(failure)}`;
        throw new ServerStartError(await this.#withLog(text), { cause: failure });
      }
      await delay(pauseMs);
      pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
    }
  }

  /** Ends it by the given signals in turn; resolves to false when it outlived all of them. */
  async stop(steps: readonly StopStep[]): Promise<boolean> {
    return stopProcess(this.identity, steps);
  }

  async #withLog(message: string): Promise<string> {
    const tail = await this.logTail();
    return `${message}\nThe end of ${this.logFile}:\n${tail.trim() === '' ? '(nothing was written)' : tail.trimEnd()}`;
  }
}

/** Starts the command and returns at once; whether it works is for `waitUntilAnswering` to say. */
export async function startServerProcess(command: ServerCommand): Promise<ServerProcess> {
  const { prefix = [], deathSignal, cwd, uid, gid } = command;
  const words = [...prefix, ...(await deathSignalWrapper(deathSignal)), ...command.command];
  const log = await openLog(command.logFile);
  try {
    const [program = '', ...args] = words;
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', log.handle.fd, log.handle.fd],
      ...(cwd === undefined ? {} : { cwd }),
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
    let early: readonly [number | null, string | null] | undefined;
    let server: ServerProcess | undefined;
    child.once('exit', (status, signal) => {
      if (server === undefined) early = [status, signal];
      else server.noteExit(status, signal);
    });
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('spawn', () => resolve(child.pid ?? 0));
      child.once('error', (error) =>
        reject(
          new ServerStartError(`${command.name}: ${program} could not be started: ${error.message}`, { cause: error }),
        ),
      );
    });
    // The child must not keep our event loop alive: whoever started it holds it by `stop`.
    child.unref();
    const identity = (await identityOf(pid)) ?? { pid, startedAt: 'ended at once' };
    server = new ServerProcess(command, identity, log.size);
    if (early !== undefined) server.noteExit(...early);
    return server;
  } finally {
    await log.handle.close();
  }
}

/** The end of a log file, from `fromByte` on, at most 4,000 bytes; empty when there is no such file. */
export async function readTail(path: string, fromByte = 0): Promise<string> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, 'r');
  } catch {
    // The tail only ever decorates another error, which must not be replaced by this one.
    return '';
  }
  try {
    const { size } = await handle.stat();
    const start = Math.max(fromByte, size - LOG_TAIL_BYTES);
    if (size <= start) return '';
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(size - start), position: start });
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

/**
 * Words to put before a command, so that on Linux its process gets the signal when ours dies, however it dies. setpriv replaces itself
 * by the command, so the process id stays the one that we know.
 */
export async function deathSignalWrapper(signal: NodeJS.Signals): Promise<readonly string[]> {
  if (process.platform !== 'linux') return [];
  const wrapper = ['--pdeathsig', signal, '--'];
  return (await commandSucceeds('setpriv', [...wrapper, 'true'], { timeoutMs: 5_000 })) ? ['setpriv', ...wrapper] : [];
}

async function openLog(path: string): Promise<{ handle: Awaited<ReturnType<typeof open>>; size: number }> {
  await mkdir(dirname(path), { recursive: true });
  const before = await stat(path).catch(() => undefined);
  // One older log is kept beside the current one, so a server that is started daily does not fill the disk.
  if (before !== undefined && before.size > MAX_LOG_BYTES) await rename(path, `${path}.1`);
  const handle = await open(path, 'a', 0o600);
  return { handle, size: (await handle.stat()).size };
}

function describe(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(describe).join('; ');
  return error instanceof Error ? error.message : String(error);
}
