// `verify`: proves that the live tables are what the log says.
import type { Command } from 'commander';
import { type Verification, verifyLive } from '../../../projections/replay/verify-live.ts';
import { count } from '../../progress.ts';
import type { Cli } from '../cli.ts';
import { countOption } from '../count-option.ts';
import { EXIT, type Exit } from '../exits.ts';
import { showFold } from '../fold-progress.ts';
import { openFold, projectionNamed } from '../open-fold.ts';
import { rowsOf, showExamples, showParked, showTables, vectorText } from '../show-comparison.ts';

const NAMES = { left: 'live', right: 'by the log' };
const MAX_ROWS_PER_TABLE = 5;

export function addVerify(program: Command, cli: Cli): void {
  program
    .command('verify')
    .description(
      'folds the log anew and compares: are the live tables what the log says? Exit 0: they are; 1: they are not',
    )
    .argument('<projection>', 'history')
    .option('--rooms <n>', 'tell the differences of so many rooms', countOption(1, 1_000), 5)
    .action((projection: string, { rooms }: { rooms: number }) => cli.run(() => verify(cli, projection, rooms)));
}

async function verify(cli: Cli, name: string, maxRooms: number): Promise<Exit> {
  const live = projectionNamed(name);
  const deps = await openFold(cli.resources());
  const progress = showFold(cli.out);
  const verification = await verifyLive(deps, {
    live,
    fresh: live,
    purpose: 'verify',
    way: 'copy',
    bounds: { maxRooms, maxRowsPerTable: MAX_ROWS_PER_TABLE },
    onBegin: progress.begin,
    onChunk: progress.add,
    signal: cli.signal,
  }).finally(progress.stop);
  if (verification === null) return EXIT.interrupted;
  const isEqual = verification.comparison.isEqual && verification.parked.differences.length === 0;
  const { vector, events, comparison, parked, foldMs, compareMs } = verification;
  cli.out.result(
    {
      projection: live.name,
      version: live.version,
      isEqual,
      vector: [...vector].map(([partition, offset]) => ({ partition, offset })),
      events,
      rooms: comparison.rooms,
      rows: rowsOf(comparison, 'leftRows'),
      differingRooms: comparison.differingRooms,
      tables: comparison.tables,
      examples: comparison.examples,
      parked,
      foldMs: Math.round(foldMs),
      compareMs: Math.round(compareMs),
    },
    [`${live.name}, version ${live.version}: ${isEqual ? 'equal' : 'DIFFERENT'}`, ...describe(verification)],
  );
  return isEqual ? EXIT.done : EXIT.differences;
}

function describe({ vector, events, comparison, parked, foldMs, compareMs }: Verification): string[] {
  return [
    `at ${vectorText(vector)}: ${count(comparison.rooms)} rooms, ${count(rowsOf(comparison, 'leftRows'))} rows live, ` +
      `${count(events)} events folded in ${seconds(foldMs)}, compared in ${seconds(compareMs)}`,
    ...showTables(comparison, NAMES),
    ...showParked(parked, NAMES),
    ...showExamples(comparison, NAMES),
  ];
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
