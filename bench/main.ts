// `npm run bench`: starts the product, measures each scenario several times on fresh data, prints medians with the machine they
// were measured on, and writes everything to bench/results/. See README.md beside this file.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildGenerator } from './generator.ts';
import { type BenchOptions, parseBenchOptions, type WayName } from './options.ts';
import { describeMachine } from './processor-time.ts';
import { list, type Report, toReport, toTable, wayTitle } from './report.ts';
import { type Measured, SCENARIO_BY_NAME } from './scenarios.ts';
import { openEmbedded, openOnKafka, type Servers, withStack } from './servers.ts';

const RESULTS = fileURLToPath(new URL('./results/', import.meta.url));

async function main(): Promise<void> {
  const options = parseBenchOptions(process.argv.slice(2));
  const machine = describeMachine();
  say(machine);
  say(
    'The limit on each user’s writes is off (RATE_LIMIT_PER_SECOND=0). Servers and load generator share the machine.',
  );
  if (options.scenarios.some((name) => name === 'sends' || name === 'latency')) await buildGenerator();
  const reports: Report[] = [];
  for (const way of options.ways) reports.push(...(await measureWay(way, options)));
  await mkdir(RESULTS, { recursive: true });
  const at = new Date().toISOString();
  const file = join(RESULTS, `${at.replaceAll(':', '-')}.json`);
  await writeFile(file, JSON.stringify({ at, machine, options, reports }, null, 2));
  process.stdout.write(`\n${machine}\n\n${toTable(reports)}\n\n${file}\n`);
}

async function measureWay(way: WayName, options: BenchOptions): Promise<Report[]> {
  const title = wayTitle(way, options.apart);
  if (way === 'embedded') return measureScenarios(title, options, openEmbedded);
  return withStack(say, (stack) => measureScenarios(title, options, () => openOnKafka(stack, options.apart)));
}

async function measureScenarios(title: string, options: BenchOptions, open: () => Promise<Servers>): Promise<Report[]> {
  const reports: Report[] = [];
  for (const scenario of options.scenarios) {
    const runs: Measured[] = [];
    for (let run = 1; run <= options.runs; run++) {
      if (interrupted) throw new Error('interrupted');
      const servers = await open();
      try {
        const measured = await SCENARIO_BY_NAME[scenario](servers, options.file ?? '');
        say(`${title}, ${scenario}, run ${run}: ${list(measured.figures)}`);
        runs.push(measured);
      } finally {
        await servers.close();
      }
    }
    reports.push(toReport(title, scenario, runs));
  }
  return reports;
}

/* The servers get the terminal's Ctrl-C too and end, which fails the run under way: what is left to do is to clean up after it. */
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    interrupted = true;
  });
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

try {
  await main();
} catch (error) {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
}
