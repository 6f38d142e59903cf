// A whole run from nothing: servers, processes, load, faults, the check, and everything ended again.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../support/sources.ts';
import type { Cluster, WayName } from './cluster/cluster.ts';
import { openKafkaCluster } from './cluster/kafka-cluster.ts';
import { openPostgresCluster } from './cluster/postgres-cluster.ts';
import { HistoryWriter } from './history-writer.ts';
import type { FaultKind } from './nemesis/fault.ts';
import { runNemesis } from './nemesis/nemesis.ts';
import { carryOut, type RunResult, type Scene } from './run.ts';

export type SuiteOptions = {
  way: WayName;
  minutes: number;
  seed: string;
  kinds: readonly FaultKind[];
  /** Takes the history and the logs of the processes. */
  runDir: string;
  onProgress: (line: string) => void;
  signal: AbortSignal;
};

export type SuiteResult = RunResult & {
  /** Milliseconds until all worked again, by fault. */
  recoveries: ReadonlyMap<string, readonly number[]>;
};

/** The cluster did not come up; the message says why. */
export class NoClusterError extends Error {
  override readonly name = 'NoClusterError';
  readonly code = 'no_cluster';
  readonly retryable = false;
}

/** A fault that was asked for cannot be had on this machine. */
class ImpossibleFaultError extends Error {
  override readonly name = 'ImpossibleFaultError';
  readonly code = 'impossible_fault';
  readonly retryable = false;
}

/** A run of at least so many minutes has faults that last longer, and must be able to do all of them. */
export const LONG_MINUTES = 4;
/** Milliseconds until everybody must have seen everything, once all is whole again. */
const PATIENCE_MS = 60_000;
export const CACHE_DIR = join(PROJECT_ROOT, '.cache');

/** Rejects with NoClusterError, ImpossibleFaultError, or the signal's reason. */
export async function runSuite(options: SuiteOptions): Promise<SuiteResult> {
  const { way, minutes, kinds, runDir } = options;
  await mkdir(runDir, { recursive: true });
  const cluster = await openCluster(options);
  try {
    const isLong = minutes >= LONG_MINUTES;
    if (isLong && cluster.disk === null && kinds.some(({ name }) => name === 'disk-full')) {
      throw new ImpossibleFaultError(
        `the disk of the log (${way}) cannot be filled here: run as root on Linux, or name other faults with --faults`,
      );
    }
    const history = new HistoryWriter(join(runDir, 'history.jsonl'));
    let recoveries: SuiteResult['recoveries'] = new Map();
    const disturb = async (scene: Scene): Promise<void> => {
      const until = performance.now() + minutes * 60_000;
      recoveries = await runNemesis({ ...options, ...scene, isLong, until });
    };
    const result = await carryOut({ ...options, cluster, history, disturb, patienceMs: PATIENCE_MS });
    return { ...result, recoveries };
  } finally {
    await cluster.close();
  }
}

async function openCluster({ way, runDir, onProgress, signal }: SuiteOptions): Promise<Cluster> {
  const open = way === 'kafka' ? openKafkaCluster : openPostgresCluster;
  try {
    return await open({ runDir, cacheDir: CACHE_DIR, onProgress, signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new NoClusterError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
