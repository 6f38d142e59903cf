// One run of the fault suite: a cluster under load, broken again and again, brought to rest, and then held against what was promised.
import { setTimeout as delay } from 'node:timers/promises';
import { checkRun, type Report } from './check-run.ts';
import type { Cluster } from './cluster/cluster.ts';
import type { HistoryCounts, HistoryWriter } from './history-writer.ts';
import { Load } from './load/load.ts';
import { comeToRest } from './load/rest.ts';
import { untilWorking } from './nemesis/nemesis.ts';
import { type Random, seededRandom } from './random.ts';

export type RunOptions = {
  cluster: Cluster;
  history: HistoryWriter;
  seed: string;
  /** Breaks things under load, and puts them right again. */
  disturb: (scene: Scene) => Promise<void>;
  /** Once all is at rest, and before it is looked at. */
  afterRest?: (scene: Scene) => Promise<void>;
  /** Milliseconds that the system may take to come to rest afterwards. */
  patienceMs: number;
  onProgress: (line: string) => void;
  signal: AbortSignal;
};

/** What a disturbance has to work with. */
export type Scene = {
  cluster: Cluster;
  load: Load;
  history: HistoryWriter;
  random: Random;
  onViolation: (sentence: string) => void;
};

export type RunResult = {
  report: Report;
  counts: HistoryCounts;
  /** Milliseconds of the longest time without an accepted command while things were broken. */
  longestSilenceMs: number;
  /** What the runner saw itself, beside the checker: what did not recover, did not end in order, was read wrongly. */
  violations: readonly string[];
  /** Processes that ended without being told to, by name. */
  endedAlone: ReadonlyMap<string, number>;
};

const ACTIONS_PER_SECOND = 120;
/** What is told of one kind is told often enough. */
const MAX_VIOLATIONS = 50;

/** Rejects where it could not be carried out; what is wrong with the product is in the result. The cluster's processes are stopped after it. */
export async function carryOut(options: RunOptions): Promise<RunResult> {
  const { cluster, history, seed, disturb, patienceMs, onProgress, signal } = options;
  const random = seededRandom(seed);
  const violations: string[] = [];
  const onViolation = (sentence: string): void => {
    onProgress(`VIOLATION: ${sentence}`);
    if (violations.length < MAX_VIOLATIONS) violations.push(sentence);
  };
  const load = new Load({
    cluster,
    history,
    random: random.fork('load'),
    actionsPerSecond: ACTIONS_PER_SECOND,
    repeatForMs: 2 * patienceMs,
    signal,
    onViolation,
  });
  await load.prepare();
  const talking = load.run();
  await untilWorking({ cluster, history, onViolation, signal }, []);
  onProgress(`load: ${load.rooms.all.length} rooms, ${load.clients.length} clients; faults begin`);
  const scene: Scene = { cluster, load, history, random: random.fork('faults'), onViolation };
  await disturb(scene);
  const { longestSilenceMs } = history.counts;
  load.finish();
  await talking;
  signal.throwIfAborted();
  onProgress('all is whole again; waiting until everybody has seen everything');
  await comeToRest({ cluster, load, patienceMs, onViolation });
  await options.afterRest?.(scene);
  await history.close();
  load.stop();
  // Sockets close first, so that nobody is cut off by the stop.
  await delay(200);
  for (const sentence of await cluster.stopProcesses()) onViolation(sentence);
  const { log, databaseUrl, redis } = cluster;
  const report = await checkRun({ historyFile: history.path, log, databaseUrl, redis });
  return {
    report,
    counts: history.counts,
    longestSilenceMs,
    violations,
    endedAlone: countLonelyEnds(cluster),
  };
}

function countLonelyEnds(cluster: Cluster): Map<string, number> {
  const counted = cluster.processes.map(({ process }): [string, number] => {
    return [process.name, process.endings.filter(({ wanted }) => !wanted).length];
  });
  return new Map(counted.filter(([, count]) => count > 0));
}
