// `diff`: what another version of the projection's code would make of the log.
import type { Command } from 'commander';
import { compareFolds } from '../../../projections/replay/compare-folds.ts';
import { loadLiveVector, type OffsetVector } from '../../../projections/replay/live-vector.ts';
import { type Verification, verifyLive } from '../../../projections/replay/verify-live.ts';
import type { Cli } from '../cli.ts';
import { countOption } from '../count-option.ts';
import { EXIT, type Exit } from '../exits.ts';
import { showFold } from '../fold-progress.ts';
import { openFold, projectionNamed } from '../open-fold.ts';
import { withOtherCode } from '../other-code.ts';
import { isEqual, showVerification, verificationJson } from '../show-comparison.ts';

const NAMES = { left: 'here', right: 'there' };
const MAX_ROWS_PER_TABLE = 3;

type DiffOptions = { with: string; rooms: number; limitEvents?: number };

export function addDiff(program: Command, cli: Cli): void {
  program
    .command('diff')
    .description(
      'folds the log with other code of the projection and compares. Exit 0: it makes the same tables; 1: others',
    )
    .argument('<projection>', 'history')
    .requiredOption('--with <code>', 'a folder with that code, or a git ref of this repository')
    .option('--rooms <n>', 'tell the differences of so many rooms', countOption(1, 1_000), 5)
    .option('--limit-events <n>', 'fold only about so many events, the first of every partition', countOption(1, 1e12))
    .action((projection: string, options: DiffOptions) => cli.run(() => diff(cli, projection, options)));
}

async function diff(cli: Cli, name: string, options: DiffOptions): Promise<Exit> {
  const live = projectionNamed(name);
  const progress = showFold(cli.out);
  const verification = await withOtherCode(options.with, async (fresh): Promise<Verification | null> => {
    const deps = await openFold(cli.resources());
    const both = {
      live,
      fresh,
      purpose: 'diff',
      way: 'rows',
      bounds: { maxRooms: options.rooms, maxRowsPerTable: MAX_ROWS_PER_TABLE },
      onBegin: progress.begin,
      onChunk: progress.add,
      signal: cli.signal,
    } as const;
    if (options.limitEvents === undefined) return verifyLive(deps, both);
    const to = shareOut(options.limitEvents, await loadLiveVector(deps.db, live));
    return compareFolds(deps, { ...both, to });
  }).finally(progress.stop);
  if (verification === null) return EXIT.interrupted;
  const here = options.limitEvents === undefined ? 'the live tables' : 'this code';
  const verdict = isEqual(verification) ? 'makes the same tables' : 'makes OTHER tables';
  cli.out.result({ ...verificationJson(live, verification), with: options.with }, [
    `${options.with} (there) ${verdict} as ${here} (here): ${live.name}, version ${live.version}`,
    ...showVerification(verification, NAMES),
  ]);
  return isEqual(verification) ? EXIT.done : EXIT.differences;
}

/** So many offsets in all, of each partition in proportion to how many it has. */
function shareOut(limit: number, vector: OffsetVector): OffsetVector {
  const total = [...vector.values()].reduce((sum, offset) => sum + offset, 0);
  const share = Math.min(1, limit / Math.max(1, total));
  return new Map([...vector].map(([partition, offset]) => [partition, Math.ceil(offset * share)]));
}
