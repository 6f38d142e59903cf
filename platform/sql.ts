// Runs one visible SQL statement with bound parameters (`?`, arrays included) on a knex connection or transaction.
import type { Knex } from 'knex';

/**
 * The rows of the statement. Their type is a claim about the statement's columns, to be read side by side with it: bigint
 * columns are text, unless the statement says otherwise. Throws PostgreSQL's error as it is.
 */
export async function queryRows<Row>(db: Knex, sql: string, bindings: readonly unknown[]): Promise<Row[]> {
  const { rows } = await run<Row>(db, sql, bindings);
  return rows;
}

/** How many rows the statement changed. */
export async function changeRows(db: Knex, sql: string, bindings: readonly unknown[]): Promise<number> {
  const { rowCount } = await run(db, sql, bindings);
  return rowCount ?? 0;
}

type Result<Row> = { rows: Row[]; rowCount: number | null };

async function run<Row>(db: Knex, sql: string, bindings: readonly unknown[]): Promise<Result<Row>> {
  // Knex hands parameters to the driver unchanged, which takes nulls in arrays too; its types list fewer.
  return db.raw<Result<Row>>(sql, bindings as Knex.RawBinding[]);
}
