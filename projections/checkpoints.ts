// How far a projection in PostgreSQL is, and the fence: a checkpoint moves only from the offset where its writer left it.
import type { Knex } from 'knex';
import { changeRows, queryRows } from '../platform/sql.ts';
import type { BookkeepingTables } from './history/tables.ts';
import type { Chunk } from './sink.ts';

export type ProjectionKey = { name: string; version: number };

/** What it is called in logs and metrics: `history`, `history v2`. */
export function labelOf({ name, version }: ProjectionKey): string {
  return version === 1 ? name : `${name} v${version}`;
}

/** Every partition of the log that has no checkpoint gets 0, so that moving always finds a row and readers see all of them. */
export async function createCheckpoints(
  tx: Knex,
  tables: BookkeepingTables,
  { name, version }: ProjectionKey,
  partitionCount: number,
): Promise<void> {
  await changeRows(
    tx,
    `insert into ${tables.checkpoints} (projection, version, partition, next_offset)
     select ?::text, ?::integer, partition, 0 from generate_series(0, ?::integer - 1) as partition
     on conflict do nothing`,
    [name, version, partitionCount],
  );
}

/** The next offsets of these partitions. */
export async function loadCheckpoints(
  tx: Knex,
  tables: BookkeepingTables,
  { name, version }: ProjectionKey,
  partitions: readonly number[],
): Promise<Map<number, number>> {
  const rows = await queryRows<{ partition: number; next_offset: string }>(
    tx,
    `select partition, next_offset from ${tables.checkpoints}
      where projection = ? and version = ? and partition = any (?::integer[])`,
    [name, version, partitions],
  );
  return new Map(rows.map((row) => [row.partition, Number(row.next_offset)]));
}

/** The next offset of every partition that has a checkpoint. */
export function loadVector(tx: Knex, tables: BookkeepingTables, key: ProjectionKey): Promise<Map<number, number>> {
  return selectVector(tx, tables, key, '');
}

/** The same, and keeps whoever writes from writing until the transaction ends; locks in the order in which writers lock. */
export function lockVector(
  tx: Knex.Transaction,
  tables: BookkeepingTables,
  key: ProjectionKey,
): Promise<Map<number, number>> {
  return selectVector(tx, tables, key, 'for update');
}

async function selectVector(
  tx: Knex,
  tables: BookkeepingTables,
  { name, version }: ProjectionKey,
  locking: '' | 'for update',
): Promise<Map<number, number>> {
  const rows = await queryRows<{ partition: number; next_offset: string }>(
    tx,
    `select partition, next_offset from ${tables.checkpoints}
      where projection = ? and version = ? order by partition ${locking}`,
    [name, version],
  );
  return new Map(rows.map((row) => [row.partition, Number(row.next_offset)]));
}

/** Keeps whoever projects the partition from writing, and so from parking more of a stream of it, until the transaction ends. */
export async function lockCheckpoint(
  tx: Knex,
  tables: BookkeepingTables,
  { name, version }: ProjectionKey,
  partition: number,
): Promise<void> {
  await queryRows(
    tx,
    `select 1 from ${tables.checkpoints} where projection = ? and version = ? and partition = ? for update`,
    [name, version, partition],
  );
}

/**
 * Moves the checkpoints, all or none; false means that one of them is not where it is expected. The row locks make a second
 * writer wait until this transaction ends, and then find that the condition no longer holds.
 */
export async function moveCheckpoints(
  tx: Knex,
  tables: BookkeepingTables,
  { name, version }: ProjectionKey,
  moves: Chunk['moves'],
): Promise<boolean> {
  // In the order of partitions, so that two writers lock the rows in the same order and cannot deadlock.
  const sorted = [...moves].sort(([left], [right]) => left - right);
  const moved = await changeRows(
    tx,
    `update ${tables.checkpoints} as checkpoint set next_offset = move.to_offset
       from (
         select locked.partition, wanted.to_offset
           from unnest(?::integer[], ?::bigint[], ?::bigint[]) as wanted (partition, from_offset, to_offset)
           join ${tables.checkpoints} as locked
             on locked.projection = ? and locked.version = ? and locked.partition = wanted.partition
            and locked.next_offset = wanted.from_offset
          order by locked.partition
            for update of locked
       ) as move
      where checkpoint.projection = ? and checkpoint.version = ? and checkpoint.partition = move.partition`,
    [
      sorted.map(([partition]) => partition),
      sorted.map(([, { from }]) => from),
      sorted.map(([, { to }]) => to),
      name,
      version,
      name,
      version,
    ],
  );
  return moved === moves.size;
}
