// Reads two ordered results side by side without holding either: cursors in PostgreSQL, a bounded page of each in memory.
import type { Knex } from 'knex';
import { queryRows } from '../../platform/sql.ts';

export type OrderedQuery = { tx: Knex.Transaction; sql: string; bindings: readonly unknown[] };

const PAGE_ROWS = 2_000;

/**
 * The rows of both queries in their common order, those that compare as equal together, else one of them beside null. `name` tells
 * this pair of cursors from others that are open in the same transaction.
 */
export async function* mergeOrdered<Row>(
  name: string,
  left: OrderedQuery,
  right: OrderedQuery,
  compare: (left: Row, right: Row) => number,
): AsyncGenerator<readonly [left: Row | null, right: Row | null]> {
  const lefts = readCursor<Row>(`${name}_left`, left);
  const rights = readCursor<Row>(`${name}_right`, right);
  try {
    // Both together: each side's server process works on its own for the first page, which is where the sorting is.
    let [oneLeft, oneRight] = await Promise.all([nextOf(lefts), nextOf(rights)]);
    while (oneLeft !== null || oneRight !== null) {
      const order = oneLeft === null ? 1 : oneRight === null ? -1 : compare(oneLeft, oneRight);
      yield [order <= 0 ? oneLeft : null, order >= 0 ? oneRight : null];
      if (order <= 0) oneLeft = await nextOf(lefts);
      if (order >= 0) oneRight = await nextOf(rights);
    }
  } finally {
    await lefts.return(undefined);
    await rights.return(undefined);
  }
}

async function nextOf<Row>(rows: AsyncGenerator<Row>): Promise<Row | null> {
  const { done, value } = await rows.next();
  return done === true ? null : value;
}

async function* readCursor<Row>(name: string, { tx, sql, bindings }: OrderedQuery): AsyncGenerator<Row, undefined> {
  // All rows are wanted: a plan that is fast for the first ones would read the table in the order of an index.
  await tx.raw('set local cursor_tuple_fraction = 1');
  await tx.raw(`declare ${name} no scroll cursor for ${sql}`, bindings as Knex.RawBinding[]);
  for (;;) {
    const rows = await queryRows<Row>(tx, `fetch ${PAGE_ROWS} from ${name}`, []);
    for (const row of rows) yield row;
    if (rows.length < PAGE_ROWS) break;
  }
  // A reader that stops early, or fails, leaves the cursor to the end of the transaction.
  await tx.raw(`close ${name}`);
}

/** The order that PostgreSQL gives text by collation "C": that of the bytes in UTF-8. */
export function compareText(left: string, right: string): number {
  return left === right ? 0 : Buffer.compare(Buffer.from(left), Buffer.from(right));
}
