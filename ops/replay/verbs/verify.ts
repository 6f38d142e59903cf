// `verify`: proves that the live tables are what the log says.
import type { Command } from 'commander';
import { verifyLive } from '../../../projections/replay/verify-live.ts';
import type { Cli } from '../cli.ts';
import { countOption } from '../count-option.ts';
import { EXIT, type Exit } from '../exits.ts';
import { showFold } from '../fold-progress.ts';
import { openFold, projectionNamed } from '../open-fold.ts';
import { isEqual, showVerification, verificationJson } from '../show-comparison.ts';

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
  const verdict = isEqual(verification) ? 'equal' : 'DIFFERENT';
  cli.out.result(verificationJson(live, verification), [
    `${live.name}, version ${live.version}: ${verdict}`,
    ...showVerification(verification, NAMES),
  ]);
  return isEqual(verification) ? EXIT.done : EXIT.differences;
}
