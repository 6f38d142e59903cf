/* Tells processes apart and ends them, also those that an earlier run of this program started and left behind.
 *
 * A process id alone is not enough for that: after a crash the id in a pid file may long belong to something else. Id and start
 * time together are unique; on Linux the start time is in /proc, in clock ticks since the boot, so the boot's own id belongs to it.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { CommandError, runCommand } from './run-command.ts';

export type ProcessIdentity = { readonly pid: number; readonly startedAt: string };

/** One step of ending a process: the signal, and how long to wait for the end before the next step. */
export type StopStep = { readonly signal: NodeJS.Signals; readonly waitMs: number };

const POLL_MS = 20;

/** The identity of the running process with this id; undefined when there is none, or only a zombie nobody has collected. */
export async function identityOf(pid: number): Promise<ProcessIdentity | undefined> {
  const startedAt = process.platform === 'linux' ? await linuxStartTime(pid) : await startTimeByPs(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

/** Whether exactly this process is still running. */
export async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  return (await identityOf(identity.pid))?.startedAt === identity.startedAt;
}

/** The command line of a running process, its arguments joined by blanks; empty when there is no such process. */
export async function commandLineOf(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    const text = await readIfPresent(`/proc/${pid}/cmdline`);
    return (text ?? '').replaceAll('\0', ' ').trim();
  }
  return (await ps(pid, 'command=')) ?? '';
}

/**
 * Ends exactly this process by the given signals in turn; resolves when it is gone (at once if it already is), to false when
 * it outlived all of them. Never signals another process that has taken over the id.
 */
export async function stopProcess(identity: ProcessIdentity, steps: readonly StopStep[]): Promise<boolean> {
  for (const { signal, waitMs } of steps) {
    if (!(await isRunning(identity))) return true;
    signalProcess(identity.pid, signal);
    if (await waitForExit(identity, waitMs)) return true;
  }
  return !(await isRunning(identity));
}

/** Waits until exactly this process is gone; resolves to false when it is still there after `timeoutMs`. */
export async function waitForExit(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (await isRunning(identity)) {
    if (performance.now() >= deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}

/** Sends a signal; says false when the process no longer exists. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return false;
    throw error;
  }
}

async function linuxStartTime(pid: number): Promise<string | undefined> {
  const stat = await readIfPresent(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The second field is the program's name in parentheses and may itself hold blanks and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTicks] = [fields[0], fields[19]];
  if (state === 'Z' || state === 'X' || startTicks === undefined) return undefined;
  const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
  return `${bootId.trim()}/${startTicks}`;
}

async function startTimeByPs(pid: number): Promise<string | undefined> {
  const state = await ps(pid, 'state=');
  return state === undefined || state.startsWith('Z') ? undefined : ps(pid, 'lstart=');
}

async function ps(pid: number, column: string): Promise<string | undefined> {
  try {
    const text = (await runCommand('ps', ['-o', column, '-p', String(pid)], { timeoutMs: 5_000 })).trim();
    return text === '' ? undefined : text;
  } catch (error) {
    // `ps` ends with status 1 and says nothing when there is no such process.
    if (error instanceof CommandError && error.output === '' && error.cause === undefined) return undefined;
    throw error;
  }
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return undefined;
    throw error;
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
