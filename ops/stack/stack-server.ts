// One server of the stack over its life: started, killed by a fault test, started again on the same data and port, stopped.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isRunning, type ProcessIdentity, type StopStep, stopProcess } from '../../platform/process-identity.ts';
import { type ServerProcess, startServerProcess } from '../../platform/server-process.ts';

export const SERVER_NAMES = ['kafka', 'registry', 'postgres', 'redis'] as const;
export type ServerName = (typeof SERVER_NAMES)[number];

export type StackServer = {
  readonly name: ServerName;
  readonly port: number;
  readonly logFile: string;
  /** Of the process that runs now, or ran last; 0 before the first start. */
  readonly pid: number;
  /** Resolves when it answers. Rejects with ServerStartError, which ends with the last lines of the server's log. */
  readonly start: (signal?: AbortSignal) => Promise<void>;
  readonly stop: () => Promise<void>;
  /** Ends it as a crash does (SIGKILL) and waits until it is gone. */
  readonly kill: () => Promise<void>;
};

export type ProcessServerOptions = {
  readonly name: ServerName;
  readonly port: number;
  readonly logFile: string;
  /** Remembers the process, so that the next stack on this data can end it if this one dies without doing so. */
  readonly pidFile: string;
  readonly timeoutMs: number;
  /** What has to be done before the process starts, and the command that starts it. */
  readonly prepare: () => Promise<{
    readonly command: readonly [string, ...string[]];
    readonly afterStop: () => Promise<void>;
  }>;
  /** Resolves when the server really does its work. */
  readonly probe: () => Promise<void>;
};

/* Java writes its class archive while it ends, and Kafka its clean-shutdown mark. */
const STOP_STEPS: readonly StopStep[] = [
  { signal: 'SIGTERM', waitMs: 30_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
];
const KILL_STEPS: readonly StopStep[] = [{ signal: 'SIGKILL', waitMs: 5_000 }];

/** A server that is one process of ours. */
export class ProcessServer implements StackServer {
  readonly name: ServerName;
  readonly port: number;
  readonly logFile: string;
  readonly #options: ProcessServerOptions;
  #process: ServerProcess | undefined;
  #afterStop: () => Promise<void> = () => Promise.resolve();

  constructor(options: ProcessServerOptions) {
    this.name = options.name;
    this.port = options.port;
    this.logFile = options.logFile;
    this.#options = options;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  async start(signal?: AbortSignal): Promise<void> {
    const { name, logFile, pidFile, prepare, probe, timeoutMs } = this.#options;
    const { command, afterStop } = await prepare();
    this.#afterStop = afterStop;
    signal?.throwIfAborted();
    this.#process = await startServerProcess({ name, command, logFile, deathSignal: 'SIGKILL' });
    await mkdir(dirname(pidFile), { recursive: true });
    await writeFile(pidFile, JSON.stringify(this.#process.identity));
    await this.#process.waitUntilAnswering(probe, { timeoutMs, signal });
  }

  async stop(): Promise<void> {
    await this.#end(STOP_STEPS);
    await this.#afterStop();
  }

  async kill(): Promise<void> {
    await this.#end(KILL_STEPS);
  }

  async #end(steps: readonly StopStep[]): Promise<void> {
    if (this.#process === undefined) return;
    if (!(await this.#process.stop(steps))) throw new Error(`${this.name} (pid ${this.pid}) cannot be ended`);
    await rm(this.#options.pidFile, { force: true });
  }
}

/** Ends the process that a pid file names, if exactly that process is still running; says whether there was one. */
export async function endLeftover(pidFile: string): Promise<boolean> {
  const identity = await readIdentity(pidFile);
  if (identity === undefined) return false;
  const wasRunning = await isRunning(identity);
  if (wasRunning && !(await stopProcess(identity, STOP_STEPS))) {
    throw new Error(`process ${identity.pid}, left over by an earlier run (${pidFile}), cannot be ended`);
  }
  await rm(pidFile, { force: true });
  return wasRunning;
}

/** What a pid file says; undefined when there is none or nothing readable in it. */
export async function readIdentity(pidFile: string): Promise<ProcessIdentity | undefined> {
  const text = await readFile(pidFile, 'utf8').catch(() => '');
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('pid' in value) || !('startedAt' in value)) return undefined;
    const { pid, startedAt } = value;
    return typeof pid === 'number' && typeof startedAt === 'string' ? { pid, startedAt } : undefined;
  } catch {
    // A file that was being written during a crash names nobody we could end.
    return undefined;
  }
}
