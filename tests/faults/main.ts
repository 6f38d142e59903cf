// `npm run test:faults`; --help says how.

import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../support/sources.ts';
import type { Cluster, ClusterOptions } from './cluster/cluster.ts';
import { openKafkaCluster } from './cluster/kafka-cluster.ts';
import { openPostgresCluster } from './cluster/postgres-cluster.ts';
import { HistoryWriter } from './history-writer.ts';
import { type FaultOptions, HELP, LONG_MINUTES, readOptions, UsageError } from './options.ts';
import { formatResult, isClean } from './report.ts';
import { carryOut } from './run.ts';

const EXIT = { clean: 0, violations: 1, usage: 2, noStart: 3 } as const;

async function main(signal: AbortSignal): Promise<number> {
  const options = readOptions(process.argv.slice(2), () => randomBytes(4).toString('hex'));
  if (options === null) {
    process.stdout.write(HELP);
    return EXIT.clean;
  }
  say(`seed ${options.seed}, ${options.way}, ${options.minutes} minutes`);
  const runDir = join(tmpdir(), `roomlog-faults-${options.seed}-${process.pid}`);
  await mkdir(runDir, { recursive: true });
  const code = await runIn(runDir, options, signal);
  if (code === EXIT.clean && !options.keep) await rm(runDir, { recursive: true });
  else say(`history and logs are in ${runDir}`);
  say(`seed ${options.seed}`);
  return code;
}

async function runIn(runDir: string, options: FaultOptions, signal: AbortSignal): Promise<number> {
  const { way, minutes, seed, kinds } = options;
  const open = way === 'kafka' ? openKafkaCluster : openPostgresCluster;
  const clusterOptions: ClusterOptions = { runDir, cacheDir: join(PROJECT_ROOT, '.cache'), onProgress: say, signal };
  let cluster: Cluster;
  try {
    cluster = await open(clusterOptions);
  } catch (error) {
    say(`the cluster could not be started: ${describe(error)}`);
    return EXIT.noStart;
  }
  try {
    const isLong = minutes >= LONG_MINUTES;
    if (isLong && cluster.disk === null && kinds.some(({ name }) => name === 'disk-full')) {
      say(
        'the disk of the log cannot be filled here, so this run could not do all: mount tmpfs as root, or name --faults',
      );
      return EXIT.violations;
    }
    const history = new HistoryWriter(join(runDir, 'history.jsonl'));
    const result = await carryOut({ cluster, history, seed, minutes, isLong, kinds, onProgress: say, signal });
    process.stdout.write(`\n${formatResult(result)}`);
    return isClean(result) ? EXIT.clean : EXIT.violations;
  } finally {
    await cluster.close();
  }
}

const startedAt = performance.now();

function say(line: string): void {
  process.stdout.write(`# ${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)} ${line}\n`);
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => interrupted.abort(new Error(`ended by ${signal}`)));
}
try {
  process.exitCode = await main(interrupted.signal);
} catch (error) {
  say(error instanceof UsageError ? `${error.message}\n${HELP}` : describe(error));
  process.exitCode = error instanceof UsageError ? EXIT.usage : EXIT.violations;
}
