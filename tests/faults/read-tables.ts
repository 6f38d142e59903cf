// The tables of the history as SQL shows them, page by page, in one snapshot.
import pg from 'pg';
import { BOOKKEEPING_SCHEMA, HISTORY_PROJECTION, HISTORY_SCHEMA } from '../../projections/history/tables.ts';
import { type Row, TABLE_KEYS, type TableName, type TablesRead } from './check-tables.ts';

export type HistorySchemas = { history: string; bookkeeping: string };

export const LIVE_SCHEMAS: HistorySchemas = { history: HISTORY_SCHEMA, bookkeeping: BOOKKEEPING_SCHEMA };
const ROWS_AT_ONCE = 5_000;

/** Hands the tables to `use`, and ends the connection after it. */
export async function withTables(
  databaseUrl: string,
  schemas: HistorySchemas,
  use: (tables: TablesRead) => Promise<void>,
): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    await client.query('begin transaction isolation level repeatable read, read only');
    await use({
      rows: (table) => readRows(client, schemas.history, table),
      checkpoints: await readCheckpoints(client, schemas.bookkeeping),
      parked: await readParked(client, schemas.bookkeeping),
    });
  } finally {
    await client.end();
  }
}

async function* readRows(client: pg.Client, schema: string, table: TableName): AsyncGenerator<Row> {
  const key = TABLE_KEYS[table].join(', ');
  const name = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)}`;
  const places = TABLE_KEYS[table].map((_, index) => `$${index + 1}`).join(', ');
  let after: unknown[] = [];
  for (;;) {
    // As JSON, so that a column that is not expected shows too, and numbers are numbers.
    const page: pg.QueryResult<{ row: Row }> = await client.query(
      `select to_jsonb(t) as row from ${name} as t ${after.length === 0 ? '' : `where (${key}) > (${places})`}
        order by ${key} limit ${ROWS_AT_ONCE}`,
      after,
    );
    for (const { row } of page.rows) yield row;
    const last = page.rows.at(-1)?.row;
    if (last === undefined || page.rows.length < ROWS_AT_ONCE) return;
    after = TABLE_KEYS[table].map((column) => last[column]);
  }
}

async function readCheckpoints(client: pg.Client, schema: string): Promise<Map<number, number>> {
  const { name, version } = HISTORY_PROJECTION;
  const { rows } = await client.query<{ partition: number; next_offset: string }>(
    `select partition, next_offset from ${pg.escapeIdentifier(schema)}.projection_checkpoints
      where projection = $1 and version = $2`,
    [name, version],
  );
  return new Map(rows.map(({ partition, next_offset }) => [partition, Number(next_offset)]));
}

async function readParked(client: pg.Client, schema: string): Promise<{ stream: string; reason: string }[]> {
  const { name, version } = HISTORY_PROJECTION;
  const { rows } = await client.query<{ stream: string; reason: string }>(
    `select stream, reason from ${pg.escapeIdentifier(schema)}.parked_streams where projection = $1 and version = $2`,
    [name, version],
  );
  return rows;
}
