// `npm run replay` as a user runs it: a process of its own.
import { spawn } from 'node:child_process';
import { childEnv } from '../../ops/config.ts';

export type ReplayEnd = { exit: number | null; stdout: string; stderr: string };
export type RunningReplay = {
  pid: number;
  /** What it has said up to now. */
  output: Readonly<{ stdout: string; stderr: string }>;
  ended: Promise<ReplayEnd>;
  kill(signal: NodeJS.Signals): void;
};
export type ReplaySettings = Readonly<Record<string, string | undefined>>;

const MAIN = new URL('../../ops/replay/main.ts', import.meta.url).pathname;

/** Starts it; `settings` are set on top of the environment, undefined takes one away. */
export function startReplay(args: readonly string[], settings: ReplaySettings): RunningReplay {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: childEnv(settings),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const ended = new Promise<ReplayEnd>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exit) => resolve({ exit, ...output }));
  });
  return { pid: child.pid ?? -1, output, ended, kill: (signal) => void child.kill(signal) };
}

export function runReplay(args: readonly string[], settings: ReplaySettings): Promise<ReplayEnd> {
  return startReplay(args, settings).ended;
}
