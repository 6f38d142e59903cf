// The second look of a comparison: in rooms whose hashes differ, which rows are on one side only, and which have changed.
import type { Knex } from 'knex';
import { queryRows } from '../../platform/sql.ts';
import { mayBeOlder, meansTheSame, type Row } from './meaning-of-rows.ts';
import { compareText, mergeOrdered } from './merge-cursors.ts';
import type { Column, SharedShape } from './table-shapes.ts';

/** One side of a comparison: what it reads is as of the transaction's snapshot. */
export type Side = { tx: Knex.Transaction; schema: string };

export type RowDifference = {
  table: string;
  roomId: string;
  /** By the key's columns, as text. */
  key: Record<string, string | null>;
  /** Null: not on that side. */
  left: Row | null;
  right: Row | null;
  /** Of a row on both sides, the columns that differ. */
  changed: string[];
};
/**
 * How many rows differ, by kind. `older` do not: one side has them in the shape of an earlier build, and what they mean is the same.
 */
export type RowCounts = { onlyLeft: number; onlyRight: number; changed: number; older: number };

/** `row` is there only in tables whose rows may have an older shape. */
type KeyedRow = { room_id: string; key: (string | null)[]; hash: string; row: Row | null };

/** Compares all rows of these rooms; `maxExamples` of the differences are read whole. `rooms` are those that differ. */
export async function compareRows(
  left: Side,
  right: Side,
  shape: SharedShape,
  roomIds: readonly string[],
  maxExamples: number,
): Promise<{ counts: RowCounts; rooms: Set<string>; examples: RowDifference[] }> {
  const counts = { onlyLeft: 0, onlyRight: 0, changed: 0, older: 0 };
  const rooms = new Set<string>();
  const examples: RowDifference[] = [];
  const query = (side: Side) => ({ tx: side.tx, sql: keysAndHashes(side.schema, shape), bindings: [roomIds] });
  const order = compareKeys(shape.key);
  for await (const [inLeft, inRight] of mergeOrdered<KeyedRow>('rows', query(left), query(right), order)) {
    const either = inLeft ?? inRight;
    if (either === null || inLeft?.hash === inRight?.hash) continue;
    if (meansTheSame(shape.table, inLeft?.row ?? null, inRight?.row ?? null)) {
      counts.older += 1;
      continue;
    }
    rooms.add(either.room_id);
    if (inRight === null) counts.onlyLeft += 1;
    else if (inLeft === null) counts.onlyRight += 1;
    else counts.changed += 1;
    if (examples.length >= maxExamples) continue;
    examples.push(
      toDifference(
        shape,
        either,
        inLeft && (await readRow(left, shape, either)),
        inRight && (await readRow(right, shape, either)),
      ),
    );
  }
  return { counts, rooms, examples };
}

/** What a row says as one number. The same PostgreSQL computes both sides, so its text forms and hashes are the same for both. */
export function rowHash(columns: readonly string[]): string {
  return `hashtextextended(row(${columns.map(quoteName).join(', ')})::text, 0)`;
}

/** The room that a row belongs to; a table that does not tell rooms apart is compared as if it were one. */
export function roomOfRow(shape: SharedShape): string {
  return shape.columns.includes('room_id') ? "coalesce(room_id::text, '')" : "''::text";
}

export function quoteName(name: string): string {
  // knex would take a question mark for a parameter.
  return `"${name.replaceAll('"', '""').replaceAll('?', '\\?')}"`;
}

function keysAndHashes(schema: string, shape: SharedShape): string {
  const room = roomOfRow(shape);
  const keyTexts = shape.key.map(({ name }) => `${quoteName(name)}::text`);
  const keyOrder = shape.key.map(({ name, type }) =>
    isInteger(type) ? quoteName(name) : `${quoteName(name)}::text collate "C"`,
  );
  return `select ${room} as room_id, array[${keyTexts.join(', ')}]::text[] as key, ${rowHash(shape.columns)}::text as hash,
                 ${mayBeOlder(shape.table) ? 'to_jsonb(row_of_table)' : 'null::jsonb'} as row
            from ${quoteName(schema)}.${quoteName(shape.table)} as row_of_table
           where ${shape.columns.includes('room_id') ? 'room_id' : room} = any (?::text[])
           order by ${[`${room} collate "C"`, ...keyOrder].join(', ')}, hash`;
}

function compareKeys(key: readonly Column[]): (left: KeyedRow, right: KeyedRow) => number {
  return (left, right) => {
    const byRoom = compareText(left.room_id, right.room_id);
    if (byRoom !== 0) return byRoom;
    for (const [at, { type }] of key.entries()) {
      const order = compareKeyValues(type, left.key[at] ?? null, right.key[at] ?? null);
      if (order !== 0) return order;
    }
    return 0;
  };
}

/** As PostgreSQL orders them: null last. */
function compareKeyValues(type: string, left: string | null, right: string | null): number {
  if (left === right) return 0;
  if (left === null || right === null) return left === null ? 1 : -1;
  if (!isInteger(type)) return compareText(left, right);
  return BigInt(left) < BigInt(right) ? -1 : 1;
}

async function readRow({ tx, schema }: Side, shape: SharedShape, { room_id, key }: KeyedRow): Promise<Row | null> {
  const conditions = shape.key.map(({ name, type }, at) => {
    if ((key[at] ?? null) === null) return `${quoteName(name)} is null and ?::text is null`;
    return isInteger(type) ? `${quoteName(name)} = ?::${type}` : `${quoteName(name)}::text = ?`;
  });
  const rooms = shape.columns.includes('room_id') ? 'room_id = ?::text' : `${roomOfRow(shape)} = ?`;
  const rows = await queryRows<{ row: Row }>(
    tx,
    `select to_jsonb(row_of_table) as row from ${quoteName(schema)}.${quoteName(shape.table)} as row_of_table
      where ${[rooms, ...conditions].join(' and ')} limit 1`,
    [room_id, ...shape.key.map((_, at) => key[at] ?? null)],
  );
  return rows[0]?.row ?? null;
}

function toDifference(
  shape: SharedShape,
  { room_id, key }: KeyedRow,
  left: Row | null,
  right: Row | null,
): RowDifference {
  const isChanged = (column: string): boolean => JSON.stringify(left?.[column]) !== JSON.stringify(right?.[column]);
  return {
    table: shape.table,
    roomId: room_id,
    key: Object.fromEntries(shape.key.map(({ name }, at) => [name, key[at] ?? null])),
    left,
    right,
    changed: left === null || right === null ? [] : shape.columns.filter(isChanged),
  };
}

function isInteger(type: string): boolean {
  return ['smallint', 'integer', 'bigint'].includes(type);
}
