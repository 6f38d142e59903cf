// `rebuild`: folds the log anew into tables beside the live ones, proves them, and makes them live.
import { availableParallelism, constants, hostname, setPriority } from 'node:os';
import type { Command } from 'commander';
import { withJobLock } from '../../../projections/replay/job-lock.ts';
import type { JobProgress } from '../../../projections/replay/job-row.ts';
import {
  type RebuildEnd,
  type RebuildOptions,
  type RebuildWatch,
  rebuild,
} from '../../../projections/replay/rebuild-job.ts';
import type { BuildVerdict } from '../../../projections/replay/verify-build.ts';
import { count, duration, type Progress, showProgress } from '../../progress.ts';
import type { Cli } from '../cli.ts';
import { countOption } from '../count-option.ts';
import { EXIT, type Exit } from '../exits.ts';
import { openFold, projectionNamed } from '../open-fold.ts';
import type { Output } from '../output.ts';
import { planRebuild } from '../rebuild-plan.ts';
import { requireBeginning, requireVersion } from '../rebuild-range.ts';
import { rowsOf, showExamples, showParked, showTables, vectorText } from '../show-comparison.ts';

type Flags = {
  to?: number;
  from?: string;
  rate?: number;
  lanes: number;
  dryRun?: true;
  flip: boolean;
  verify: boolean;
  maxLagEvents: number;
  maxReadMs?: number;
};

/** More partitions at once gain nothing on the cores that PostgreSQL and the fold share. */
/** A lane keeps two processors busy, ours and PostgreSQL's: half of the machine is left to what is live. */
const DEFAULT_LANES = Math.min(4, Math.max(1, Math.floor(availableParallelism() / 4)));
const MAX_LANES = 8;
const DEFAULT_MAX_LAG_EVENTS = 5_000;
const LINE_EVERY_MS = 5_000;

export function addRebuild(program: Command, cli: Cli): void {
  program
    .command('rebuild')
    .description(
      'folds the log anew beside the live tables, proves the result, and makes it live; run again it goes on',
    )
    .argument('<projection>', 'history')
    .option('--to <version>', 'the version of the projection', countOption(1, 1_000_000))
    .option('--from <offset|time>', 'only the beginning of the log: the state of the history starts there')
    .option('--rate <n>', 'at most so many events a second', countOption(1, 100_000_000))
    .option('--lanes <n>', `partitions at once, at most ${MAX_LANES}`, countOption(1, MAX_LANES), DEFAULT_LANES)
    .option('--dry-run', 'says what it would do, and changes nothing')
    .option('--no-flip', 'leaves the build to be made live by flip')
    .option('--no-verify', 'does not compare with the live tables')
    .option(
      '--max-lag-events <n>',
      'works less while the live projection is further behind',
      countOption(1, 1_000_000_000),
      DEFAULT_MAX_LAG_EVENTS,
    )
    .option(
      '--max-read-ms <n>',
      'works less while reads of the live tables take longer (a quarter more than before it began)',
      countOption(1, 60_000),
    )
    .action((projection: string, flags: Flags) => cli.run(() => run(cli, projection, flags)));
}

async function run(cli: Cli, name: string, flags: Flags): Promise<Exit> {
  const projection = projectionNamed(name);
  requireVersion(projection, flags.to);
  const resources = cli.resources();
  const deps = await openFold(resources);
  if (flags.from !== undefined) await requireBeginning(deps.log, flags.from);
  const worker = { pid: process.pid, host: hostname() };
  const options: RebuildOptions = {
    lanes: flags.lanes,
    ratePerSecond: flags.rate,
    maxLagEvents: flags.maxLagEvents,
    maxReadMs: flags.maxReadMs,
    worker,
    verifies: flags.verify,
    flips: flags.flip,
  };
  if (flags.dryRun === true) {
    const { json, lines } = await planRebuild(deps, projection, options);
    cli.out.result(json, lines);
    return EXIT.done;
  }
  // The live roles come first wherever they share a processor with this.
  setPriority(constants.priority.PRIORITY_LOW);
  const watch = watchOn(cli.out);
  const databaseUrl = await resources.databaseUrl();
  const lock = { databaseUrl, projection, worker, verb: 'rebuild', signal: cli.signal };
  const end = await withJobLock(lock, (signal) => rebuild(deps, projection, options, watch, signal)).finally(() =>
    watch.stop(),
  );
  return report(cli.out, name, end);
}

function report(out: Output, name: string, end: RebuildEnd): Exit {
  const { build } = end;
  switch (end.kind) {
    case 'live': {
      const { previous, heldMs } = end.flip;
      out.result({ projection: name, outcome: 'live', ...end.flip, verified: verdictJson(end.verdict) }, [
        ...verdictLines(end.verdict),
        `build ${build} is live; build ${previous} is kept for rollback; live writes were held up for ${Math.round(heldMs)} ms`,
      ]);
      return EXIT.done;
    }
    case 'ready':
      out.result({ projection: name, outcome: 'ready', build, verified: verdictJson(end.verdict) }, [
        ...verdictLines(end.verdict),
        `build ${build} is ready: npm run replay -- flip ${name}`,
      ]);
      return EXIT.done;
    case 'differs':
      out.result({ projection: name, outcome: 'differs', build, verified: verdictJson(end.verdict) }, [
        ...verdictLines(end.verdict),
        `build ${build} is not what a second fold makes, and does not go live; drop removes it`,
      ]);
      return EXIT.differences;
    case 'cancelled':
      out.result({ projection: name, outcome: 'cancelled', build }, `build ${build} was cancelled and is gone`);
      return EXIT.interrupted;
    case 'stopped':
      out.note(`stopped: npm run replay -- rebuild ${name} goes on with build ${build}, cancel ${name} removes it`);
      return EXIT.interrupted;
  }
}

function verdictJson(verdict: BuildVerdict | null): object | null {
  if (verdict === null) return null;
  const { vector, comparison, parked } = verdict.kind === 'differs' ? verdict.second : verdict.live;
  return { verdict: verdict.kind, vector: Object.fromEntries(vector), comparison, parked };
}

function verdictLines(verdict: BuildVerdict | null): string[] {
  if (verdict === null) return ['not verified'];
  const { vector, comparison, parked } = verdict.kind === 'differs' ? verdict.second : verdict.live;
  const names = { left: verdict.kind === 'differs' ? 'second fold' : 'live', right: 'build' };
  if (verdict.kind === 'equal') {
    const rows = count(rowsOf(comparison, 'leftRows'));
    return [`equal to the live tables at ${vectorText(vector)}: ${count(comparison.rooms)} rooms, ${rows} rows`];
  }
  const lines = [...showTables(comparison, names), ...showParked(parked, names), ...showExamples(comparison, names)];
  if (verdict.kind === 'differs') return lines;
  return [
    'the live tables are not what the log says, and the build is: a second fold by the live path agrees',
    ...lines,
  ];
}

type ShownWatch = RebuildWatch & { stop(): void };

/** A bar for the phases that fold; the others say what they do. */
function watchOn(out: Output): ShownWatch {
  let shown: Progress | undefined;
  let current: (JobProgress & { isPaused: boolean }) | undefined;
  let [isFolding, notedAt] = [false, 0];
  const stop = (): void => {
    shown?.stop();
    shown = undefined;
  };
  return {
    phase(phase, build) {
      stop();
      isFolding = phase === 'copying' || phase === 'catching-up';
      current = undefined;
      out.note(`build ${build.number}: ${phase}`);
    },
    note: (text) => out.note(text),
    progress(progress) {
      if (out.json) return;
      if (!isFolding) {
        if (performance.now() - notedAt < LINE_EVERY_MS) return;
        notedAt = performance.now();
        out.note(`${duration((progress.atMs - startedAtMs) / 1_000)}   ${noteOf(progress)}`);
        return;
      }
      current = progress;
      if (shown !== undefined || progress.total === 0) return;
      const read = () => ({ done: current?.done ?? 0, refused: 0, note: current === undefined ? '' : noteOf(current) });
      shown = showProgress({ out: out.stderr, total: progress.total, read, now: () => performance.now() });
    },
    stop,
  };
}

const startedAtMs = Date.now();

function noteOf({ share, lagEvents, readMs, isPaused }: JobProgress & { isPaused: boolean }): string {
  const read = readMs === null ? 'reads fail' : `read ${readMs.toFixed(1)} ms`;
  const state = isPaused ? 'paused' : `works ${Math.round(share * 100)} % of the time`;
  return `${state}, live lag ${count(lagEvents)}, ${read}`;
}
