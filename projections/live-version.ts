// Which version of a projection is live, and how another one takes over. Readers ask the newest live version that they know, so the
// pointer moves only in a transaction that keeps all writers of the live version from going on and sees the other one at least as
// far: nobody who reads through the pointer goes back in time.
import { setTimeout as delay } from 'node:timers/promises';
import type { Knex } from 'knex';
import type { Database } from '../platform/postgres.ts';
import { changeRows, queryRows } from '../platform/sql.ts';
import { loadVector, lockVector, type ProjectionKey } from './checkpoints.ts';
import { lockTables } from './create-tables.ts';
import type { BookkeepingTables } from './history/tables.ts';

/** Milliseconds that the writers of the live version are kept waiting for the other one to get as far. */
const CATCH_UP_MS = 1_500;
const LOOK_AGAIN_MS = 5;

export type MoveOutcome =
  | { kind: 'moved'; from: number; to: number }
  /** It is live already, or what asks may not move the pointer there. */
  | { kind: 'unchanged'; live: number }
  /** The other version is not as far, or not there; or it has parked streams that the live one has not. */
  | { kind: 'refused'; live: number; reason: string };

/** A version was to be dropped that is live, or that something is still made of. */
export class VersionInUseError extends Error {
  override readonly name = 'VersionInUseError';
  readonly code = 'version_in_use';
  readonly retryable = false;
}

/**
 * Sets the pointer where there is none: to the version whose checkpoints are there already (that was live before there were
 * pointers), else to `newest`. Call it before the checkpoints of `newest` are made.
 */
export async function ensureLiveVersion(
  tx: Knex,
  tables: BookkeepingTables,
  newest: ProjectionKey,
  atMs: number,
): Promise<void> {
  await changeRows(
    tx,
    `insert into ${tables.live} (projection, version, since_ms)
     select ?::text, coalesce(max(version), ?::integer), ?::bigint from ${tables.checkpoints}
      where projection = ? and version < ?
     on conflict do nothing`,
    [newest.name, newest.version, atMs, newest.name, newest.version],
  );
}

/** Null where no projector of a build with a pointer has started yet. */
export async function loadLiveVersion(
  db: Knex,
  tables: BookkeepingTables,
  projection: string,
): Promise<{ version: number; automaticAbove: number } | null> {
  const [row] = await queryRows<{ version: number; automaticAbove: number }>(
    db,
    `select version, automatic_above as "automaticAbove" from ${tables.live} where projection = ?`,
    [projection],
  );
  return row ?? null;
}

/** How many events the version lacks of what the live one has, over all partitions; null where it has no checkpoints yet. */
export async function eventsBehind(
  db: Knex,
  tables: BookkeepingTables,
  { name, version }: ProjectionKey,
  live: number,
): Promise<number | null> {
  const [row] = await queryRows<{ behind: string | null; missing: string }>(
    db,
    `select sum(greatest(live.next_offset - other.next_offset, 0)) as behind,
            count(*) filter (where other.next_offset is null) as missing
       from ${tables.checkpoints} as live
       left join ${tables.checkpoints} as other
         on other.projection = live.projection and other.version = ? and other.partition = live.partition
      where live.projection = ? and live.version = ?`,
    [version, name, live],
  );
  return row === undefined || Number(row.missing) > 0 ? null : Number(row.behind ?? 0);
}

/**
 * Makes the version live if it is, or gets within a moment, as far as the live one in every partition. `automatic`: only forwards,
 * and not where somebody has moved the pointer back by hand; by hand it also goes back, and from then on only newer versions take
 * over by themselves. Writers of the live version wait meanwhile. Throws PostgreSQL's errors, after which nothing has changed.
 */
export async function moveLiveVersion(
  db: Database,
  tables: BookkeepingTables,
  { name, version: to }: ProjectionKey,
  { automatic, atMs }: { automatic: boolean; atMs: number },
): Promise<MoveOutcome> {
  return db.transaction(async (tx): Promise<MoveOutcome> => {
    const [pointer] = await queryRows<{ version: number; automaticAbove: number }>(
      tx,
      `select version, automatic_above as "automaticAbove" from ${tables.live} where projection = ? for update`,
      [name],
    );
    if (pointer === undefined) return { kind: 'refused', live: 0, reason: 'no version of it was ever projected' };
    const { version: from, automaticAbove } = pointer;
    if (from === to || (automatic && to <= Math.max(from, automaticAbove))) return { kind: 'unchanged', live: from };
    const refuse = (reason: string): MoveOutcome => ({ kind: 'refused', live: from, reason });
    const live = await lockVector(tx, tables, { name, version: from });
    if (!(await getsAsFar(tx, tables, { name, version: to }, live))) {
      return refuse(`version ${to} is not as far as version ${from}`);
    }
    // Holds off whoever would drop it.
    await lockVector(tx, tables, { name, version: to });
    const parked = await parkedOnlyIn(tx, tables, { name, version: to }, from);
    if (parked > 0) return refuse(`version ${to} has ${parked} parked streams that version ${from} has not`);
    await changeRows(
      tx,
      `update ${tables.live} set version = ?, since_ms = ?, automatic_above = ? where projection = ?`,
      [to, atMs, automatic ? automaticAbove : Math.max(from, to), name],
    );
    return { kind: 'moved', from, to };
  });
}

/**
 * Removes a version that is not live: its tables, checkpoints and parked records. Removing it again changes nothing. Whoever runs a
 * build whose newest version it is makes it anew. Throws VersionInUseError for the live one, and for one with builds beside it.
 */
export async function dropVersion(
  db: Database,
  tables: BookkeepingTables,
  { name, version }: ProjectionKey,
  schema: string,
): Promise<void> {
  await db.transaction(async (tx) => {
    await lockTables(tx);
    const [pointer] = await queryRows<{ version: number }>(
      tx,
      `select version from ${tables.live} where projection = ? for update`,
      [name],
    );
    if (pointer === undefined || pointer.version === version) {
      throw new VersionInUseError(`version ${version} of ${name} is the live one`);
    }
    const [built] = await queryRows<{ build: number }>(
      tx,
      `select build from ${tables.builds} where projection = ? and version = ? and state <> 'live' limit 1`,
      [name, version],
    );
    if (built !== undefined) {
      throw new VersionInUseError(`version ${version} of ${name} has build ${built.build} beside it: drop that first`);
    }
    await changeRows(tx, `delete from ${tables.builds} where projection = ? and version = ?`, [name, version]);
    await tx.raw('drop schema if exists ?? cascade', [schema]);
    for (const table of [tables.checkpoints, tables.parkedRecords, tables.parkedStreams]) {
      await changeRows(tx, `delete from ${table} where projection = ? and version = ?`, [name, version]);
    }
  });
}

async function getsAsFar(
  tx: Knex.Transaction,
  tables: BookkeepingTables,
  key: ProjectionKey,
  vector: ReadonlyMap<number, number>,
): Promise<boolean> {
  const deadline = performance.now() + CATCH_UP_MS;
  for (;;) {
    // Every statement of this transaction sees what others have committed before it.
    const reached = await loadVector(tx, tables, key);
    if ([...vector].every(([partition, offset]) => (reached.get(partition) ?? -1) >= offset)) return true;
    if (performance.now() > deadline) return false;
    await delay(LOOK_AGAIN_MS);
  }
}

async function parkedOnlyIn(
  tx: Knex.Transaction,
  tables: BookkeepingTables,
  { name, version }: ProjectionKey,
  live: number,
): Promise<number> {
  const [row] = await queryRows<{ count: number }>(
    tx,
    `select count(*)::integer as count from ${tables.parkedStreams} as parked
      where projection = ? and version = ?
        and not exists (select 1 from ${tables.parkedStreams} as other
                         where other.projection = parked.projection and other.version = ? and other.stream = parked.stream)`,
    [name, version, live],
  );
  return row?.count ?? 0;
}
