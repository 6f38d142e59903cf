// Processor time of the servers by process, from Linux' /proc. A figure without it says little: on a machine that load generator
// and servers share, what something costs is what its speed will be elsewhere.
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';

/** A process, or a process with all its descendants: a PostgreSQL server is one process per connection. */
export type ServerProcess = { name: string; pid: number; withDescendants: boolean };

const TICKS_PER_SECOND = 100;
const GIB = 1024 ** 3;

/** Seconds of processor time that each has used since it began. */
export function processorSeconds(processes: readonly ServerProcess[]): Map<string, number> {
  const secondsByName = new Map<string, number>();
  for (const { name, pid, withDescendants } of processes) {
    const seconds = withDescendants ? treeSeconds(pid) : ownSeconds(statOf(pid));
    secondsByName.set(name, (secondsByName.get(name) ?? 0) + seconds);
  }
  return secondsByName;
}

/** Runs the task and tells what the processes used meanwhile. */
export async function measureProcessorTime<Value>(
  processes: readonly ServerProcess[],
  task: () => Promise<Value>,
): Promise<{ value: Value; cpuSeconds: Record<string, number> }> {
  const before = processorSeconds(processes);
  const value = await task();
  const used = [...processorSeconds(processes)].map(
    ([name, after]) => [name, after - (before.get(name) ?? 0)] as const,
  );
  return { value, cpuSeconds: Object.fromEntries(used) };
}

export function describeMachine(): string {
  const cores = availableParallelism();
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  return `${model}, ${cores} cores, ${(totalmem() / GIB).toFixed(0)} GiB, Linux ${release()}, Node ${process.version}`;
}

function treeSeconds(root: number): number {
  const childrenByPid = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const parent = Number(statOf(pid)?.[1] ?? 0);
    childrenByPid.set(parent, [...(childrenByPid.get(parent) ?? []), pid]);
  }
  const sum = (pid: number): number => {
    const stat = statOf(pid);
    const ended = ticks(stat, 13) + ticks(stat, 14);
    const children = childrenByPid.get(pid) ?? [];
    return ownSeconds(stat) + ended + children.reduce((total, child) => total + sum(child), 0);
  };
  return sum(root);
}

function ownSeconds(stat: string[] | null): number {
  return ticks(stat, 11) + ticks(stat, 12);
}

function ticks(stat: string[] | null, field: number): number {
  return Number(stat?.[field] ?? 0) / TICKS_PER_SECOND;
}

/** The fields of /proc/<pid>/stat behind the command's name, or null where the process has ended. */
function statOf(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    // Processes end while the list of them is being read.
    return null;
  }
}
