// Creates a projection's tables where they are missing. Several processes may start at once: an advisory lock lets them in one
// after the other, because `create … if not exists` of PostgreSQL can fail when two run it together.
import { readFile } from 'node:fs/promises';
import type { Knex } from 'knex';
import type { Database } from '../platform/postgres.ts';

/** `file` is SQL that holds no schema names: it is run with search_path set to `schema`. */
export type TableScript = { schema: string; file: URL };

/** Any number, as long as nobody else uses it as an advisory lock of the same database. */
const LOCK = 7_203_911;

/** Runs all scripts in one transaction. Safe to run again: it changes nothing that is there. */
export async function createTables(db: Database, scripts: readonly TableScript[]): Promise<void> {
  await db.transaction(async (tx) => {
    await lockTables(tx);
    for (const script of scripts) await runScript(tx, script);
  });
}

/** Lets one transaction at a time create, rename or drop tables of projections. */
export async function lockTables(tx: Knex.Transaction): Promise<void> {
  await tx.raw('select pg_advisory_xact_lock(?)', [LOCK]);
}

/** Runs one script in the caller's transaction, which must hold the lock. */
export async function runScript(tx: Knex.Transaction, { schema, file }: TableScript): Promise<void> {
  const sql = await readFile(file, 'utf8');
  await tx.raw(`create schema if not exists ??`, [schema]);
  await tx.raw(`set local search_path = ??`, [schema]);
  // knex would take a question mark in a comment for a parameter.
  await tx.raw(sql.replaceAll('?', '\\?'));
}
