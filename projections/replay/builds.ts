// Builds: sets of tables of a projection beside the live ones. Build b of version n of the history lies in schema `history_v<n>_b<b>`
// and has its checkpoints and parked records under the projection name `history#<b>`, so that nothing of it touches what is live.
import type { Knex } from 'knex';
import type { Database } from '../../platform/postgres.ts';
import { changeRows, queryRows } from '../../platform/sql.ts';
import type { ProjectionKey } from '../checkpoints.ts';
import { createTables, lockTables, runScript } from '../create-tables.ts';
import { BOOKKEEPING_FILE } from '../history/open-history-sink.ts';
import { type BookkeepingTables, bookkeepingTables } from '../history/tables.ts';
import { dropFillingIndexes } from './build-indexes.ts';
import type { ReplayedProjection } from './replayed-projection.ts';

/** States of a rebuild, in their order; `refused` is one whose verification found differences. */
export const REBUILD_STATES = ['copying', 'indexing', 'catching-up', 'verifying', 'ready', 'refused'] as const;
export type BuildState = 'live' | 'previous' | 'scratch' | (typeof REBUILD_STATES)[number];
export type BuildPurpose = 'live' | 'rebuild' | 'verify' | 'repair' | 'diff';

export type Build = {
  projection: string;
  number: number;
  version: number;
  purpose: BuildPurpose;
  state: BuildState;
  createdAtMs: number;
  /** Since when it is in its state. */
  stateAtMs: number;
};

/** Where the build's tables are while it is not live. */
export function schemaOfBuild({ schema }: Pick<ReplayedProjection, 'schema'>, number: number): string {
  return `${schema}_b${number}`;
}

/** Under which name the bookkeeping has the build while it is not live. */
export function keyOfBuild({ name, version }: ProjectionKey, number: number): ProjectionKey {
  return { name: `${name}#${number}`, version };
}

/**
 * Makes a build's tables, empty. With `fill: 'copy'` they come without the indexes that would slow COPY down: buildIndexes makes them
 * once the tables are filled. All or nothing.
 */
export async function createBuild(
  db: Database,
  projection: ReplayedProjection,
  { purpose, fill, atMs }: { purpose: Exclude<BuildPurpose, 'live'>; fill: 'copy' | 'rows'; atMs: number },
): Promise<Build> {
  await createTables(db, [{ schema: projection.bookkeepingSchema, file: BOOKKEEPING_FILE }]);
  const { builds } = bookkeepingTables(projection.bookkeepingSchema);
  return db.transaction(async (tx) => {
    await lockTables(tx);
    await noteLiveBuild(tx, builds, projection, atMs);
    const number = await nextNumber(tx, builds, projection);
    const schema = schemaOfBuild(projection, number);
    await runScript(tx, { schema, file: projection.tablesFile });
    if (fill === 'copy') await dropFillingIndexes(tx, projection, schema);
    const state = purpose === 'rebuild' ? 'copying' : 'scratch';
    const build: Build = {
      projection: projection.name,
      number,
      version: projection.version,
      purpose,
      state,
      createdAtMs: atMs,
      stateAtMs: atMs,
    };
    await insertBuild(tx, builds, build);
    return build;
  });
}

/** Removes a build that is not live: tables, checkpoints, parked records. Removing it again changes nothing. */
export async function dropBuild(db: Database, projection: ReplayedProjection, number: number): Promise<void> {
  const tables = bookkeepingTables(projection.bookkeepingSchema);
  const { name, version } = keyOfBuild(projection, number);
  await db.transaction(async (tx) => {
    await lockTables(tx);
    await tx.raw('drop schema if exists ?? cascade', [schemaOfBuild(projection, number)]);
    for (const table of [tables.checkpoints, tables.parkedRecords, tables.parkedStreams]) {
      await changeRows(tx, `delete from ${table} where projection = ? and version = ?`, [name, version]);
    }
    await changeRows(tx, `delete from ${tables.builds} where projection = ? and build = ? and state <> 'live'`, [
      projection.name,
      number,
    ]);
  });
}

/** Every build of the projection's version, the oldest first. */
export async function listBuilds(db: Knex, projection: ReplayedProjection): Promise<Build[]> {
  const { builds } = bookkeepingTables(projection.bookkeepingSchema);
  const [exists] = await queryRows<{ is: boolean }>(db, 'select to_regclass(?) is not null as is', [builds]);
  if (exists?.is !== true) return [];
  return queryRows<Build>(
    db,
    `select projection, build as number, version, purpose, state, created_at_ms::float8 as "createdAtMs",
            state_at_ms::float8 as "stateAtMs"
       from ${builds} where projection = ? and version = ? order by build`,
    [projection.name, projection.version],
  );
}

/** The tables that were there before there were builds get a number too, by which they are known after the first flip. */
async function noteLiveBuild(
  tx: Knex.Transaction,
  builds: BookkeepingTables['builds'],
  projection: ReplayedProjection,
  atMs: number,
): Promise<void> {
  const { name, version } = projection;
  const live = await queryRows(tx, `select 1 from ${builds} where projection = ? and version = ? and state = 'live'`, [
    name,
    version,
  ]);
  if (live.length > 0) return;
  const number = await nextNumber(tx, builds, projection);
  const times = { createdAtMs: atMs, stateAtMs: atMs };
  await insertBuild(tx, builds, { projection: name, number, version, purpose: 'live', state: 'live', ...times });
}

async function nextNumber(
  tx: Knex.Transaction,
  builds: BookkeepingTables['builds'],
  { name }: ReplayedProjection,
): Promise<number> {
  const [row] = await queryRows<{ next: number }>(
    tx,
    `select coalesce(max(build), 0) + 1 as next from ${builds} where projection = ?`,
    [name],
  );
  return row?.next ?? 1;
}

async function insertBuild(tx: Knex.Transaction, builds: BookkeepingTables['builds'], build: Build): Promise<void> {
  await changeRows(
    tx,
    `insert into ${builds} (projection, build, version, purpose, state, created_at_ms, state_at_ms)
     values (?, ?, ?, ?, ?, ?, ?)`,
    [build.projection, build.number, build.version, build.purpose, build.state, build.createdAtMs, build.stateAtMs],
  );
}
