// How far the live tables are, and in which tables that is: they may be exchanged by a flip while somebody looks at them.
import type { Knex } from 'knex';
import { queryRows } from '../../platform/sql.ts';
import { loadVector } from '../checkpoints.ts';
import { bookkeepingTables } from '../history/tables.ts';
import type { ReplayedProjection } from './replayed-projection.ts';

/** By partition, the next offset that is not in the tables. */
export type OffsetVector = ReadonlyMap<number, number>;

/** Nobody has ever projected it here. */
export class NothingProjectedError extends Error {
  override readonly name = 'NothingProjectedError';
  readonly code = 'nothing_projected';
  readonly retryable = false;
}

/** Other tables have become the live ones while these were looked at. */
export class ExchangedMeanwhileError extends Error {
  override readonly name = 'ExchangedMeanwhileError';
  readonly code = 'exchanged_meanwhile';
  readonly retryable = false;
}

/** Throws NothingProjectedError. */
export async function loadLiveVector(tx: Knex, projection: ReplayedProjection): Promise<OffsetVector> {
  const tables = bookkeepingTables(projection.bookkeepingSchema);
  if ((await schemaId(tx, projection)) === null || !(await isTable(tx, tables.checkpoints)))
    throw nothingProjected(projection);
  const vector = await loadVector(tx, tables, projection);
  if (vector.size === 0) throw nothingProjected(projection);
  return vector;
}

/**
 * Runs `look` with a snapshot of the live tables that stays as it is, and with how far they are in it. Throws
 * ExchangedMeanwhileError where a flip came between: names mean the newest tables even in an older snapshot.
 */
export async function withLiveSnapshot<Result>(
  db: Knex,
  projection: ReplayedProjection,
  look: (tx: Knex.Transaction, vector: OffsetVector) => Promise<Result>,
): Promise<Result> {
  const before = await schemaId(db, projection);
  const result = await inSnapshot(db, async (tx) => look(tx, await loadLiveVector(tx, projection)));
  if ((await schemaId(db, projection)) === before) return result;
  throw new ExchangedMeanwhileError(`the live tables of ${projection.name} were exchanged meanwhile: run it again`);
}

/** A transaction that reads all as of one moment. */
export function inSnapshot<Result>(db: Knex, look: (tx: Knex.Transaction) => Promise<Result>): Promise<Result> {
  return db.transaction(look, { isolationLevel: 'repeatable read', readOnly: true });
}

async function schemaId(tx: Knex, { schema }: ReplayedProjection): Promise<string | null> {
  const [row] = await queryRows<{ id: string | null }>(tx, 'select to_regnamespace(?)::oid::text as id', [schema]);
  return row?.id ?? null;
}

/** `table` as a statement would name it. */
export async function isTable(tx: Knex, table: string): Promise<boolean> {
  const [row] = await queryRows<{ is: boolean }>(tx, 'select to_regclass(?) is not null as is', [table]);
  return row?.is === true;
}

function nothingProjected({ name, version }: ReplayedProjection): NothingProjectedError {
  return new NothingProjectedError(`${name}, version ${version}, has no tables here: nothing was ever projected`);
}
