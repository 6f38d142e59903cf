// Shows that the checker can find what it is there for: each bug is planted in all processes of a cluster, provoked by the smallest
// disturbance that brings it out, and has to be found. A bug that is not found means that the suite claims more than it sees.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../support/sources.ts';
import { type KafkaServers, openClusterOn, openKafkaServers } from './cluster/kafka-cluster.ts';
import { HistoryWriter } from './history-writer.ts';
import { UsageError } from './options.ts';
import { SCENARIOS, type Scenario } from './planted-scenarios.ts';
import { carryOut } from './run.ts';
import { CACHE_DIR } from './suite.ts';

export type PlantedOptions = {
  /** Of one bug; empty for all. */
  name: string;
  seed: string;
  runDir: string;
  onProgress: (line: string) => void;
  signal: AbortSignal;
};

export type Score = { table: string; isComplete: boolean };

type Result = { scenario: Scenario; caughtBy: readonly string[] };

const PLANT = join(PROJECT_ROOT, 'tests/support/planted-bugs/plant.ts');
/** Short: a system with a bug may never come to rest. */
const PATIENCE_MS = 5_000;

/** Rejects with UsageError for a bug that is not there, and with what starting servers rejects with. */
export async function runPlanted(options: PlantedOptions): Promise<Score> {
  const { name, onProgress, signal } = options;
  const chosen = SCENARIOS.filter(({ bug }) => name === '' || bug === name);
  if (chosen.length === 0) {
    throw new UsageError(`there is no planted bug ${name}; there are ${SCENARIOS.map(({ bug }) => bug).join(', ')}`);
  }
  const servers = await openKafkaServers({ cacheDir: CACHE_DIR, onProgress, signal });
  const results: Result[] = [];
  try {
    for (const scenario of chosen) {
      signal.throwIfAborted();
      onProgress(`bug on purpose: ${scenario.bug}`);
      results.push({ scenario, caughtBy: await provoke(servers, scenario, options) });
    }
  } finally {
    await servers.close();
  }
  const caught = results.filter(({ caughtBy }) => caughtBy.length > 0);
  const lines = results.map(({ scenario, caughtBy }) => {
    return `${caughtBy.length > 0 ? 'caught' : 'MISSED'}  ${scenario.bug} (${scenario.what}), by ${caughtBy.join(', ') || 'nothing'}`;
  });
  const table = [...lines, `${caught.length} of ${results.length} caught`].join('\n');
  return { table, isComplete: caught.length === results.length };
}

/** The checks that found something. */
async function provoke(servers: KafkaServers, scenario: Scenario, options: PlantedOptions): Promise<string[]> {
  const runDir = join(options.runDir, scenario.bug);
  await mkdir(runDir, { recursive: true });
  const cluster = await openClusterOn(servers, {
    ...options,
    runDir,
    cacheDir: CACHE_DIR,
    env: { PLANTED_BUG: scenario.bug },
    nodeArgs: ['--import', PLANT],
  });
  try {
    const { report } = await carryOut({
      ...options,
      cluster,
      history: new HistoryWriter(join(runDir, 'history.jsonl')),
      disturb: scenario.disturb,
      ...(scenario.afterRest === undefined ? {} : { afterRest: scenario.afterRest }),
      patienceMs: PATIENCE_MS,
    });
    return Object.entries(report.violationsByCheck).map(([check, count]) => `${check} (${count})`);
  } finally {
    await cluster.close();
  }
}
