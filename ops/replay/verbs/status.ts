// `status`: how far every projection is.
import type { Command } from 'commander';
import { REBUILD_STATES } from '../../../projections/replay/builds.ts';
import { count, duration } from '../../progress.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type Exit } from '../exits.ts';
import { table } from '../output.ts';
import { type BuildStatus, type PartitionStatus, type ProjectionStatus, readStatus } from '../read-status.ts';

export function addStatus(program: Command, cli: Cli): void {
  program
    .command('status')
    .description('every projection: how far it is, what it has parked, which jobs run')
    .action(() => cli.run(() => showStatus(cli)));
}

async function showStatus({ out, resources }: Cli): Promise<Exit> {
  const status = await readStatus(resources(), Date.now());
  const blocks = [
    ...status.projections.map((projection) => describeProjection(projection, status.builds)),
    ...(status.cache === null ? [] : [describeCache(status.cache)]),
    describeBuilds(status.builds),
  ];
  out.result(
    status,
    blocks.filter((block) => block.length > 0).flatMap((block, at) => (at === 0 ? block : ['', ...block])),
  );
  if (status.projections.length === 0 && status.away.length === 0) {
    out.note('Nothing was ever projected into this database.');
  }
  if (status.away.length === 0) return EXIT.done;
  out.fault(status.away.map(({ reason }) => reason).join('; '));
  return EXIT.unreachable;
}

function describeProjection(status: ProjectionStatus, builds: readonly BuildStatus[]): string[] {
  const { projection, version, partitions, parkedStreams, discardedRecords } = status;
  const live = builds.find(
    (build) => build.projection === projection && build.version === version && build.state === 'live',
  );
  const notes = [
    describeLag(partitions),
    ...(parkedStreams > 0 ? [`streams parked: ${parkedStreams} (dlq list)`] : []),
    ...(discardedRecords > 0 ? [`records discarded: ${discardedRecords}`] : []),
  ];
  const build = live === undefined ? '' : `, build ${live.build}`;
  return [`${projection}, version ${version}${build}: ${notes.join(', ')}`, ...partitionTable(partitions)];
}

function describeCache(partitions: readonly PartitionStatus[]): string[] {
  if (partitions.length === 0) return ['hot cache: empty, and nobody keeps it'];
  return [`hot cache: ${describeLag(partitions)}`, ...partitionTable(partitions)];
}

/** Of all partitions together: events add up, and of times the longest counts. */
function describeLag(partitions: readonly PartitionStatus[]): string {
  const known = partitions.flatMap(({ lagEvents, lagSeconds }) =>
    lagEvents === null || lagSeconds === null ? [] : [{ lagEvents, lagSeconds }],
  );
  if (known.length < partitions.length) return 'lag not known';
  const events = known.reduce((sum, { lagEvents }) => sum + lagEvents, 0);
  if (events === 0) return 'up to date';
  return `${events.toLocaleString('en-US')} events behind, for ${duration(Math.max(...known.map((one) => one.lagSeconds)))}`;
}

function partitionTable(partitions: readonly PartitionStatus[]): string[] {
  return table(
    ['partition', 'checkpoint', 'head', 'lag', 'seconds'],
    partitions.map(({ partition, checkpoint, head, lagEvents, lagSeconds }) => [
      partition,
      checkpoint,
      head ?? '?',
      lagEvents ?? '?',
      lagSeconds === null ? '?' : Math.round(lagSeconds * 10) / 10,
    ]),
  );
}

function describeBuilds(builds: readonly BuildStatus[]): string[] {
  if (builds.length === 0) return [];
  return table(
    ['projection', 'version', 'build', 'for', 'state', 'since', 'wanted', 'progress'],
    builds.map((build) => [
      build.projection,
      build.version,
      build.build,
      build.purpose,
      build.state,
      build.since,
      ...(isUnderWay(build) ? [build.wanted, describeProgress(build)] : ['', '']),
    ]),
  );
}

/** `ready` and `refused` wait for somebody; everything else that a rebuild can be in, its job is at. */
function isUnderWay({ state }: BuildStatus): boolean {
  return state !== 'ready' && state !== 'refused' && REBUILD_STATES.some((one) => one === state);
}

function describeProgress({ progress, worker }: BuildStatus): string {
  const events = progress === null ? [] : [`${count(progress.done)} of ${count(progress.total)} events`];
  const by = worker === null ? [] : [`by process ${worker.pid} on ${worker.host}`];
  return [...events, ...by].join(', ');
}
