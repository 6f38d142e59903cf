// Indexes of a build that is filled by COPY: taken away before, made again after. What they are is asked of PostgreSQL, which is given
// the projection's own table script for that; so a build cannot come to differ from the live tables.
import type { Knex } from 'knex';
import type { Database } from '../../platform/postgres.ts';
import { queryRows } from '../../platform/sql.ts';
import { lockTables, runScript } from '../create-tables.ts';
import type { ReplayedProjection } from './replayed-projection.ts';

type Index = {
  name: string;
  table: string;
  isPrimary: boolean;
  /** Of the constraint where it is one, else of the index, schema included. */
  definition: string;
};

/** Ends the transaction that made the tables only to look at them. */
class RolledBack extends Error {}

/** Per index that is being made; the server's default of 64 MB sorts a large table on disk. */
const SORT_MEMORY = '256MB';

/** In the transaction that made the tables. Tables that rows are looked up in while they are filled keep their primary key. */
export async function dropFillingIndexes(
  tx: Knex.Transaction,
  { growingTables }: ReplayedProjection,
  schema: string,
): Promise<void> {
  for (const { name, table, isPrimary } of await listIndexes(tx, schema)) {
    if (!isPrimary) await tx.raw('drop index ??.??', [schema, name]);
    else if (growingTables.includes(table)) await tx.raw('alter table ??.?? drop constraint ??', [schema, table, name]);
  }
}

/**
 * Makes the indexes that the build's tables lack, one after the other, each in a transaction of its own: run again after it was cut
 * short, it goes on with the first that is missing. Gives the planner its statistics at the end. `onIndex` is told before each, and
 * once the signal is aborted no further one is begun: false.
 */
export async function buildIndexes(
  db: Database,
  projection: ReplayedProjection,
  schema: string,
  { onIndex, signal }: { onIndex?: (index: { name: string; table: string }) => void; signal?: AbortSignal } = {},
): Promise<boolean> {
  const wanted = await listWantedIndexes(db, projection, schema);
  const there = new Set((await listIndexes(db, schema)).map(({ name }) => name));
  for (const { name, table, isPrimary, definition } of wanted) {
    if (there.has(name)) continue;
    if (signal?.aborted === true) return false;
    onIndex?.({ name, table });
    await db.transaction(async (tx) => {
      await tx.raw(`set local maintenance_work_mem = '${SORT_MEMORY}'`);
      // One processor is enough: the others are for what is live.
      await tx.raw('set local max_parallel_maintenance_workers = 0');
      if (isPrimary) await tx.raw(`alter table ??.?? add constraint ?? ${definition}`, [schema, table, name]);
      else await tx.raw(definition);
    });
  }
  for (const table of new Set(wanted.map(({ table }) => table))) await db.raw('analyze ??.??', [schema, table]);
  return true;
}

/** As the table script makes them: it is run in a schema of the build's name with a suffix, and nothing of that stays. */
async function listWantedIndexes(db: Database, { tablesFile }: ReplayedProjection, schema: string): Promise<Index[]> {
  const template = `${schema}_template`;
  let indexes: Index[] = [];
  try {
    await db.transaction(async (tx) => {
      await lockTables(tx);
      await runScript(tx, { schema: template, file: tablesFile });
      indexes = await listIndexes(tx, template);
      throw new RolledBack();
    });
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error;
  }
  return indexes.map((index) => ({ ...index, definition: index.definition.replaceAll(`${template}.`, `${schema}.`) }));
}

async function listIndexes(db: Knex, schema: string): Promise<Index[]> {
  return queryRows<Index>(
    db,
    `select index.relname as name, tabled.relname as "table", indisprimary as "isPrimary",
            coalesce(pg_get_constraintdef(made.oid), pg_get_indexdef(index.oid)) as definition
       from pg_index
       join pg_class as index on index.oid = indexrelid
       join pg_class as tabled on tabled.oid = indrelid
       join pg_namespace as namespace on namespace.oid = tabled.relnamespace
       left join pg_constraint as made on made.conindid = indexrelid and made.contype = 'p'
      where namespace.nspname = ? order by tabled.relname, index.relname`,
    [schema],
  );
}
