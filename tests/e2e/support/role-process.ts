// A process of the product, started as an operator would, with nothing of the test's own environment in it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { childEnv } from '../../../ops/config.ts';
import { PROJECT_ROOT, sources } from '../../support/sources.ts';

export type RoleProcessOptions = {
  /** From the project's root, for example `commands/main.ts`. */
  file: string;
  env: Readonly<Record<string, string>>;
  /** Answers 200 once it is ready. */
  readyUrl: string;
};

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;
const POLL_MS = 25;

export class RoleProcess {
  readonly #child: ChildProcess;
  readonly #output: string[] = [];
  readonly file: string;

  constructor(file: string, child: ChildProcess) {
    this.file = file;
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#output.push(text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#output.push(text));
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** All that it has written until now. */
  get output(): string {
    return this.#output.join('');
  }

  /** Resolves with the exit code after an orderly end; rejects when that takes too long (then it is killed). */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    if (this.isRunning) this.#child.kill(signal);
    return this.exit(STOP_TIMEOUT_MS);
  }

  async kill(): Promise<void> {
    if (this.isRunning) this.#child.kill('SIGKILL');
    await this.exit(STOP_TIMEOUT_MS);
  }

  /** Resolves with the exit code (-1 when it was ended by a signal) once it has ended and all its output is read. */
  async exit(timeoutMs: number): Promise<number> {
    if (this.isRunning) {
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(), timeoutMs);
      try {
        await once(this.#child, 'close', { signal: late.signal });
      } catch (error) {
        this.#child.kill('SIGKILL');
        throw new Error(`${this.file} has not ended after ${timeoutMs} ms:\n${this.output}`, { cause: error });
      } finally {
        clearTimeout(timer);
      }
    }
    return this.#child.exitCode ?? -1;
  }

  /** Resolves when the URL answers 200; rejects with what the process wrote when it ends before, or does not in time. */
  async waitUntilReady(readyUrl: string): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    let last = 'no answer';
    while (performance.now() < deadline) {
      if (!this.isRunning) throw new Error(`${this.file} ended with ${this.#child.exitCode}:\n${this.output}`);
      try {
        const answer = await fetch(readyUrl, { signal: AbortSignal.timeout(2_000) });
        last = `${answer.status} ${await answer.text()}`;
        if (answer.status === 200) return;
      } catch (error) {
        last = String(error);
      }
      await delay(POLL_MS);
    }
    throw new Error(`${this.file} is not ready (${last}):\n${this.output}`);
  }
}

/** Starts it and resolves when it is ready. */
export async function startRole(options: RoleProcessOptions): Promise<RoleProcess> {
  const role = spawnRole(options.file, options.env);
  try {
    await role.waitUntilReady(options.readyUrl);
    return role;
  } catch (error) {
    await role.kill();
    throw error;
  }
}

/** Starts it without waiting for anything. */
export function spawnRole(file: string, env: Readonly<Record<string, string>>): RoleProcess {
  const child = spawn(process.execPath, [file], {
    cwd: PROJECT_ROOT,
    env: productEnv(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return new RoleProcess(file, child);
}

/** The machine's environment with none of the product's own variables but the given ones. */
export function productEnv(env: Readonly<Record<string, string>>): Record<string, string> {
  const example = sources('.env.example')[0]?.text ?? '';
  const names = [...example.matchAll(/^#? ?([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name ?? '');
  return childEnv({ ...Object.fromEntries(names.map((name) => [name, undefined])), ...env });
}
