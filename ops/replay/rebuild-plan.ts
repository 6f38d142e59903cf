// What a rebuild would do, for `rebuild --dry-run`: reads a sample of the log, and changes nothing.
import { queryRows } from '../../platform/sql.ts';
import { schemaOfBuild } from '../../projections/replay/builds.ts';
import { type FoldDeps, headsOf } from '../../projections/replay/fold-into.ts';
import { findJob } from '../../projections/replay/job-row.ts';
import { loadLiveVector } from '../../projections/replay/live-vector.ts';
import type { RebuildOptions } from '../../projections/replay/rebuild-job.ts';
import type { ReplayedProjection } from '../../projections/replay/replayed-projection.ts';
import { count, duration } from '../progress.ts';

const SAMPLE_EVENTS = 20_000;
/** How much longer a rebuild takes than reading and decoding alone, as measured (bench/README.md). */
const WHOLE_PER_DECODING = 3;

/** Throws NothingProjectedError. */
export async function planRebuild(
  deps: FoldDeps,
  projection: ReplayedProjection,
  { lanes, ratePerSecond, verifies, flips }: RebuildOptions,
): Promise<{ json: object; lines: string[] }> {
  await loadLiveVector(deps.db, projection);
  const heads = await headsOf(deps.log);
  const events = [...heads.values()].reduce((sum, head) => sum + head, 0);
  const [job, sample, bytes] = [
    await findJob(deps.db, projection),
    await sampleRate(deps, heads),
    await liveBytes(deps, projection),
  ];
  const perSecond = Math.min(ratePerSecond ?? Number.POSITIVE_INFINITY, sample / WHOLE_PER_DECODING);
  const seconds = events === 0 ? 0 : Math.ceil(events / perSecond);
  const schema =
    job === null ? `${schemaOfBuild(projection, 0).slice(0, -1)}<number>` : schemaOfBuild(projection, job.number);
  const after = [verifies ? 'verifies' : 'does not verify', flips ? 'makes it live' : 'leaves it to flip'].join(', ');
  return {
    json: {
      projection: projection.name,
      version: projection.version,
      goesOnWith: job?.number ?? null,
      events,
      partitions: heads.size,
      lanes,
      estimatedSeconds: seconds,
      liveBytes: bytes,
      schema,
      verifies,
      flips,
    },
    lines: [
      job === null
        ? `would make a build of ${projection.name}, version ${projection.version}`
        : `would go on with build ${job.number}, which is ${job.state}`,
      `${count(events)} events in ${heads.size} partitions, ${lanes} at once, into the schema ${schema}`,
      `about ${duration(seconds)}, and as much disk as the live tables have: ${count(Math.ceil(bytes / 1e6))} MB`,
      `then ${after}`,
    ],
  };
}

/** Events read and decoded a second, by the first ones of the fullest partition. */
async function sampleRate({ log, decode }: FoldDeps, heads: ReadonlyMap<number, number>): Promise<number> {
  const [[partition, head] = [0, 0]] = [...heads].sort(([, left], [, right]) => right - left);
  const begunAt = performance.now();
  let events = 0;
  for await (const { records } of log.read(partition, 0, Math.min(head, SAMPLE_EVENTS))) {
    await decode(records);
    events += records.length;
  }
  return events / Math.max(0.001, (performance.now() - begunAt) / 1_000);
}

async function liveBytes({ db }: FoldDeps, { schema }: ReplayedProjection): Promise<number> {
  const [row] = await queryRows<{ bytes: string | null }>(
    db,
    `select sum(pg_total_relation_size(class.oid)) as bytes
       from pg_class as class join pg_namespace as namespace on namespace.oid = relnamespace
      where nspname = ? and relkind = 'r'`,
    [schema],
  );
  return Number(row?.bytes ?? 0);
}
