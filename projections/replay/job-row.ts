// The row of a rebuild, through which its job and other processes speak to each other: what it is at, who makes it, what is wanted of it.
import type { Knex } from 'knex';
import { changeRows, queryRows } from '../../platform/sql.ts';
import { bookkeepingTables } from '../history/tables.ts';
import { type Build, type BuildState, REBUILD_STATES } from './builds.ts';
import type { ReplayedProjection } from './replayed-projection.ts';

export type Wanted = 'run' | 'pause' | 'cancel';
/** How the job was started; one that goes on with it keeps to that. */
export type JobOptions = { verifies: boolean; flips: boolean };
export type Worker = { pid: number; host: string; sinceMs: number };
/** `done` of `total` offsets; `share` of the time that it may work. */
export type JobProgress = {
  done: number;
  total: number;
  atMs: number;
  share: number;
  lagEvents: number;
  readMs: number | null;
};
export type Job = Build & {
  wanted: Wanted;
  options: JobOptions;
  worker: Worker | null;
  progress: JobProgress | null;
};

/** The newest rebuild that has not gone live; null where there is none. */
export async function findJob(db: Knex, projection: ReplayedProjection): Promise<Job | null> {
  const { builds } = bookkeepingTables(projection.bookkeepingSchema);
  const [exists] = await queryRows<{ is: boolean }>(db, 'select to_regclass(?) is not null as is', [builds]);
  if (exists?.is !== true) return null;
  const [job] = await queryRows<Job>(
    db,
    `select projection, build as number, version, purpose, state, created_at_ms::float8 as "createdAtMs",
            state_at_ms::float8 as "stateAtMs", wanted, options, worker, progress
       from ${builds} where projection = ? and version = ? and state = any (?::text[]) order by build desc limit 1`,
    [projection.name, projection.version, REBUILD_STATES],
  );
  return job ?? null;
}

/** A process takes the job up: from now on it is wanted to run. */
export async function beginJob(
  db: Knex,
  projection: ReplayedProjection,
  build: number,
  { options, worker }: { options: JobOptions; worker: Worker },
): Promise<void> {
  await change(db, projection, build, `wanted = 'run', options = ?::jsonb, worker = ?::jsonb`, [
    JSON.stringify(options),
    JSON.stringify(worker),
  ]);
}

export async function enterState(
  db: Knex,
  projection: ReplayedProjection,
  build: number,
  state: BuildState,
  atMs: number,
): Promise<void> {
  await change(db, projection, build, 'state = ?, state_at_ms = ?', [state, atMs]);
}

export async function want(db: Knex, projection: ReplayedProjection, build: number, wanted: Wanted): Promise<void> {
  await change(db, projection, build, 'wanted = ?', [wanted]);
}

/** Puts down how far the job is, and resolves with what is wanted of it. */
export async function reportProgress(
  db: Knex,
  { name, bookkeepingSchema }: ReplayedProjection,
  build: number,
  progress: JobProgress,
): Promise<Wanted> {
  const { builds } = bookkeepingTables(bookkeepingSchema);
  const [row] = await queryRows<{ wanted: Wanted }>(
    db,
    `update ${builds} set progress = ?::jsonb where projection = ? and build = ? returning wanted`,
    [JSON.stringify(progress), name, build],
  );
  // A row that is gone was dropped by hand.
  return row?.wanted ?? 'cancel';
}

async function change(
  db: Knex,
  { name, bookkeepingSchema }: ReplayedProjection,
  build: number,
  set: string,
  bindings: readonly unknown[],
): Promise<void> {
  const { builds } = bookkeepingTables(bookkeepingSchema);
  await changeRows(db, `update ${builds} set ${set} where projection = ? and build = ?`, [...bindings, name, build]);
}
