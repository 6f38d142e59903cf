// Verbs on builds that are there: `pause`, `resume` and `cancel` of a rebuild that runs in another terminal, `flip` of one that waits,
// `rollback` to the tables before the last flip, `drop`.
import { hostname } from 'node:os';
import type { Command } from 'commander';
import { type Build, dropBuild, listBuilds } from '../../../projections/replay/builds.ts';
import { type Flip, flipBuild } from '../../../projections/replay/flip.ts';
import type { FoldDeps } from '../../../projections/replay/fold-into.ts';
import { findRunning, withJobLock } from '../../../projections/replay/job-lock.ts';
import { findJob, type Wanted, want } from '../../../projections/replay/job-row.ts';
import type { ReplayedProjection } from '../../../projections/replay/replayed-projection.ts';
import type { Cli } from '../cli.ts';
import { countOption } from '../count-option.ts';
import { EXIT, type Exit, RefusedError, UsageError } from '../exits.ts';
import { openFold, projectionNamed } from '../open-fold.ts';

export function addBuildVerbs(program: Command, cli: Cli): void {
  const wishes = { pause: 'holds', resume: 'lets go on', cancel: 'ends and removes' };
  for (const [verb, does] of Object.entries(wishes)) {
    program
      .command(verb)
      .description(`${does} the rebuild that runs`)
      .argument('<projection>', 'history')
      .action((name: string) => cli.run(() => tell(cli, name, verb === 'resume' ? 'run' : (verb as Wanted))));
  }
  program
    .command('flip')
    .description('makes a build live that is ready')
    .argument('<projection>', 'history')
    .action((name: string) => cli.run(() => flip(cli, name)));
  program
    .command('rollback')
    .description('brings the build that was live before up to date and makes it live again')
    .argument('<projection>', 'history')
    .action((name: string) => cli.run(() => rollback(cli, name)));
  program
    .command('drop')
    .description('removes a build that is not live')
    .argument('<projection>', 'history')
    .option('--build <n>', 'its number', countOption(1, 1_000_000_000))
    .option('--previous', 'the one that is kept for rollback')
    .action((name: string, options: { build?: number; previous?: true }) => cli.run(() => drop(cli, name, options)));
}

/** The wish is put down in the job's row, where the job looks about once a second. */
async function tell(cli: Cli, name: string, wanted: Wanted): Promise<Exit> {
  const projection = projectionNamed(name);
  const [db, databaseUrl] = [await cli.resources().db(), await cli.resources().databaseUrl()];
  const job = await findJob(db, projection);
  if (job === null) throw new RefusedError(`no rebuild of ${name} is under way`);
  const runs = await findRunning(databaseUrl, projection);
  if (runs === null && wanted !== 'cancel') {
    throw new RefusedError(`nobody works on build ${job.number}: npm run replay -- rebuild ${name} goes on with it`);
  }
  if (runs === null) {
    await withJobLock({ databaseUrl, projection, worker: worker(), verb: 'cancel', signal: cli.signal }, () =>
      dropBuild(db, projection, job.number),
    );
    cli.out.result({ projection: name, build: job.number, outcome: 'dropped' }, `build ${job.number} is gone`);
    return EXIT.done;
  }
  await want(db, projection, job.number, wanted);
  cli.out.result(
    { projection: name, build: job.number, wanted, runs },
    `build ${job.number} shall ${wanted} (${runs})`,
  );
  return EXIT.done;
}

async function flip(cli: Cli, name: string): Promise<Exit> {
  const deps = await openFold(cli.resources());
  const projection = projectionNamed(name);
  return exchange(cli, deps, projection, 'flip', async () => {
    const job = await findJob(deps.db, projection);
    if (job?.state === 'ready') return job;
    throw new RefusedError(
      job === null ? `no build of ${name} waits` : `build ${job.number} is ${job.state}, not ready`,
    );
  });
}

async function rollback(cli: Cli, name: string): Promise<Exit> {
  const deps = await openFold(cli.resources());
  const projection = projectionNamed(name);
  return exchange(cli, deps, projection, 'rollback', async () => {
    const previous = await findPrevious(deps, projection);
    if (previous === undefined) throw new RefusedError(`no build of ${name} was live before`);
    return previous;
  });
}

async function exchange(
  cli: Cli,
  deps: FoldDeps,
  projection: ReplayedProjection,
  verb: string,
  choose: () => Promise<Build>,
): Promise<Exit> {
  const databaseUrl = await cli.resources().databaseUrl();
  const done: Flip = await withJobLock(
    { databaseUrl, projection, worker: worker(), verb, signal: cli.signal },
    async (signal) => {
      const { number } = await choose();
      return flipBuild(deps, projection, number, signal);
    },
  );
  cli.out.result({ projection: projection.name, outcome: 'live', ...done }, [
    `build ${done.live} is live; build ${done.previous} is kept for rollback; ` +
      `live writes were held up for ${Math.round(done.heldMs)} ms`,
  ]);
  return EXIT.done;
}

async function drop(cli: Cli, name: string, options: { build?: number; previous?: true }): Promise<Exit> {
  const db = await cli.resources().db();
  const projection = projectionNamed(name);
  if ((options.build === undefined) === (options.previous === undefined)) {
    throw new UsageError('say which build: --build <n> or --previous');
  }
  const databaseUrl = await cli.resources().databaseUrl();
  const number = await withJobLock(
    { databaseUrl, projection, worker: worker(), verb: 'drop', signal: cli.signal },
    async () => {
      const builds = await listBuilds(db, projection);
      const build = builds.find((one) =>
        options.previous === true ? one.state === 'previous' : one.number === options.build,
      );
      if (build === undefined) throw new UsageError(`there is no such build of ${name}`);
      if (build.state === 'live') throw new RefusedError(`build ${build.number} is live`);
      if (build.state === 'scratch') throw new RefusedError(`build ${build.number} is in use by ${build.purpose}`);
      await dropBuild(db, projection, build.number);
      return build.number;
    },
  );
  cli.out.result({ projection: name, outcome: 'dropped', build: number }, `build ${number} is gone`);
  return EXIT.done;
}

async function findPrevious(deps: Pick<FoldDeps, 'db'>, projection: ReplayedProjection): Promise<Build | undefined> {
  const previous = (await listBuilds(deps.db, projection)).filter(({ state }) => state === 'previous');
  return previous.sort((left, right) => right.stateAtMs - left.stateAtMs)[0];
}

function worker(): { pid: number; host: string } {
  return { pid: process.pid, host: hostname() };
}
