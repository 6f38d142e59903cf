// Exchanges the live tables for those of a build, in one transaction that renames schemas and bookkeeping rows. docs/decisions/0011.
//
// What readers and the live projector see of it:
// - A statement reads the old tables or the new ones, never some of each: names are looked up table by table, so the old tables are
//   locked against readers for the moment of the exchange. A statement that has looked up one of them holds the exchange up until it
//   ends; one that has not waits, looks again, and finds the new ones. Nothing fails.
// - No read goes back: the checkpoints of the live tables are locked first, which stops the live projector between two chunks, and the
//   build is brought to at least these offsets before the exchange.
// - The live projector finds its checkpoints where it left them, or is fenced and loads them again: half a chunk is never written into
//   one and half into the other, because a chunk holds its checkpoints' locks to its end.
import { setTimeout as delay } from 'node:timers/promises';
import type { Knex } from 'knex';
import { changeRows, queryRows } from '../../platform/sql.ts';
import { loadVector, lockVector, type ProjectionKey } from '../checkpoints.ts';
import { lockTables } from '../create-tables.ts';
import { bookkeepingTables } from '../history/tables.ts';
import { type Build, dropBuild, keyOfBuild, listBuilds, schemaOfBuild } from './builds.ts';
import { type FoldDeps, foldInto } from './fold-into.ts';
import type { OffsetVector } from './live-vector.ts';
import type { ReplayedProjection } from './replayed-projection.ts';

export type Flip = {
  /** The build that was live until now. */
  previous: number;
  live: number;
  /** Milliseconds for which the live projector was held up. */
  heldMs: number;
  /** Exchanges that gave way to readers before the one that came through. */
  attempts: number;
};

/** The build cannot be made live, as things are. Nothing has changed. */
export class FlipRefusedError extends Error {
  override readonly name = 'FlipRefusedError';
  readonly code = 'flip_refused';
  readonly retryable = false;
}

/** Gives way: rolls the exchange back, to be tried again. Never leaves this file. */
class GivingWay extends Error {}

/**
 * Milliseconds for which the live projector may be held up while the build catches up. Shorter than it waits for a lock itself
 * (open-projections-database.ts).
 */
const HOLD_MS = 1_500;
/** Milliseconds that an exchange waits for readers. New ones wait behind it, and a deadlock with them (1 s) must not come about. */
const READERS_MS = 100;
/** Milliseconds for which it is tried in all, and between two attempts. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 50;
/** Lanes that catch up while the live projector is held up. */
const LANES = 4;

/**
 * Makes the build live and keeps the one that was as `previous`; an older previous one is dropped. The build must be complete but for
 * what the live tables got meanwhile. Throws FlipRefusedError.
 */
export async function flipBuild(
  deps: FoldDeps,
  projection: ReplayedProjection,
  build: number,
  signal?: AbortSignal,
): Promise<Flip> {
  const begunAt = performance.now();
  findBuilds(await listBuilds(deps.db, projection), build);
  for (let attempts = 1; ; attempts += 1) {
    await foldInto(deps, {
      projection,
      build,
      way: 'rows',
      to: await vectorOf(deps.db, projection, projection),
      lanes: LANES,
      ...(signal === undefined ? {} : { signal }),
    });
    try {
      const flip = { ...(await deps.db.transaction((tx) => exchange(tx, deps, projection, build))), attempts };
      await dropOlder(deps, projection, flip.previous);
      return flip;
    } catch (error) {
      if (!(error instanceof GivingWay) && !isLockTimeout(error)) throw error;
    }
    if (signal?.aborted === true) throw new FlipRefusedError('it was told to stop before the exchange came through');
    if (performance.now() - begunAt > PATIENCE_MS) {
      throw new FlipRefusedError(
        `for ${PATIENCE_MS / 1_000} s there was no moment without a transaction that has read the live tables: try again`,
      );
    }
    await delay(PAUSE_MS);
  }
}

/** By partition, the next offset that a build, or the live tables, have not seen. */
export function vectorOf(
  db: Knex,
  { bookkeepingSchema }: ReplayedProjection,
  key: ProjectionKey,
): Promise<OffsetVector> {
  return loadVector(db, bookkeepingTables(bookkeepingSchema), key);
}

/** How many offsets the first vector lacks of the second. */
export function lackOf(vector: ReadonlyMap<number, number>, wanted: ReadonlyMap<number, number>): number {
  let lack = 0;
  for (const [partition, offset] of wanted) lack += Math.max(0, offset - (vector.get(partition) ?? 0));
  return lack;
}

async function exchange(
  tx: Knex.Transaction,
  deps: FoldDeps,
  projection: ReplayedProjection,
  build: number,
): Promise<Omit<Flip, 'attempts'>> {
  await tx.raw(`set local lock_timeout = '${HOLD_MS}ms'`);
  await lockTables(tx);
  const { live, next } = findBuilds(await listBuilds(tx, projection), build);
  const wanted = await lockVector(tx, bookkeepingTables(projection.bookkeepingSchema), projection);
  const heldAt = performance.now();
  await catchUp(deps, projection, build, wanted);
  await tx.raw(`set local lock_timeout = '${READERS_MS}ms'`);
  await lockAgainstReaders(tx, projection);
  await rename(tx, projection, live, next);
  return { previous: live.number, live: build, heldMs: performance.now() - heldAt };
}

/** Throws FlipRefusedError where the two cannot be exchanged. */
function findBuilds(builds: readonly Build[], build: number): { live: Build; next: Build } {
  const live = builds.find(({ state }) => state === 'live');
  const next = builds.find(({ number }) => number === build);
  if (live === undefined || next === undefined)
    throw new FlipRefusedError(`there is no build ${build} to be made live`);
  if (next === live) throw new FlipRefusedError(`build ${build} is live already`);
  if (next.state === 'scratch') throw new FlipRefusedError(`build ${build} was made to be looked at, not to go live`);
  return { live, next };
}

/** On other connections, while the caller's transaction keeps the live tables where they are. */
async function catchUp(
  deps: FoldDeps,
  projection: ReplayedProjection,
  build: number,
  to: ReadonlyMap<number, number>,
): Promise<void> {
  const key = keyOfBuild(projection, build);
  if (lackOf(await vectorOf(deps.db, projection, key), to) > 0) {
    const signal = AbortSignal.timeout(HOLD_MS);
    await foldInto(deps, { projection, build, way: 'rows', to, lanes: LANES, signal });
  }
  if (lackOf(await vectorOf(deps.db, projection, key), to) > 0) throw new GivingWay();
}

async function lockAgainstReaders(tx: Knex.Transaction, { schema }: ReplayedProjection): Promise<void> {
  const tables = await queryRows<{ name: string }>(
    tx,
    'select tablename as name from pg_tables where schemaname = ? order by 1',
    [schema],
  );
  const names = tables.map(({ name }) => `"${schema}"."${name}"`).join(', ');
  await tx.raw(`lock table ${names} in access exclusive mode`);
}

async function rename(tx: Knex.Transaction, projection: ReplayedProjection, live: Build, next: Build): Promise<void> {
  const { name, version, schema, bookkeepingSchema } = projection;
  const tables = bookkeepingTables(bookkeepingSchema);
  await tx.raw('alter schema ?? rename to ??', [schema, schemaOfBuild(projection, live.number)]);
  await tx.raw('alter schema ?? rename to ??', [schemaOfBuild(projection, next.number), schema]);
  for (const table of [tables.checkpoints, tables.parkedStreams, tables.parkedRecords]) {
    for (const [from, to] of [
      [name, keyOfBuild(projection, live.number).name],
      [keyOfBuild(projection, next.number).name, name],
    ]) {
      await changeRows(tx, `update ${table} set projection = ? where projection = ? and version = ?`, [
        to,
        from,
        version,
      ]);
    }
  }
  for (const [state, { number }] of [
    ['previous', live],
    ['live', next],
  ] as const) {
    await changeRows(
      tx,
      `update ${tables.builds} set state = ?, state_at_ms = (extract(epoch from clock_timestamp()) * 1000)::bigint
        where projection = ? and build = ?`,
      [state, name, number],
    );
  }
}

/** One previous build is kept. Where this is cut short there are two, and the next flip drops both older ones. */
async function dropOlder({ db }: FoldDeps, projection: ReplayedProjection, keep: number): Promise<void> {
  for (const { state, number } of await listBuilds(db, projection)) {
    if (state === 'previous' && number !== keep) await dropBuild(db, projection, number);
  }
}

function isLockTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '55P03';
}
