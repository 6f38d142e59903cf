// Damages tables as a slip of an operator's hand would: one cell, one row too few or one too many.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Database } from '../../platform/postgres.ts';
import { quoteName } from '../../projections/replay/compare-rows.ts';
import { loadTableShapes } from '../../projections/replay/table-shapes.ts';

type DamageWish = { kind: 'cell' | 'missing' | 'extra'; table: number; row: number; cell: number };

export const arbitraryDamage: fc.Arbitrary<DamageWish> = fc.record({
  kind: fc.constantFrom('cell', 'missing', 'extra'),
  table: fc.nat(),
  row: fc.nat(),
  cell: fc.nat(),
});

type Row = Record<string, unknown>;
type Damage = {
  table: string;
  roomId: unknown;
  key: Row;
  before: Row | null;
  after: Row | null;
  changed: string[];
};

/** Damages one row; null where the table drawn is empty. */
export async function damageOne(db: Database, schema: string, how: DamageWish): Promise<Damage | null> {
  const shapes = [...(await loadTableShapes(db, schema)).values()];
  const shape = shapes[how.table % shapes.length];
  assert.ok(shape);
  const name = `${quoteName(schema)}.${quoteName(shape.table)}`;
  const all = await db.raw<{ rows: { place: string; row: Row }[] }>(
    `select ctid::text as place, to_jsonb(t) as row from ${name} as t`,
  );
  const picked = all.rows[how.row % Math.max(1, all.rows.length)];
  if (picked === undefined) return null;
  const keyOf = (row: Row): Row => Object.fromEntries(shape.key.map((column) => [column, String(row[column])]));
  const one = async (sql: string): Promise<Row> => {
    const { rows } = await db.raw<{ rows: { row: Row }[] }>(sql, [picked.place]);
    assert.ok(rows[0]);
    return rows[0].row;
  };
  const { row } = picked;
  if (how.kind === 'missing') {
    await one(`delete from ${name} as t where ctid = ?::tid returning to_jsonb(t) as row`);
    return { table: shape.table, roomId: row.room_id, key: keyOf(row), before: row, after: null, changed: [] };
  }
  const cells = shape.columns.filter((column) =>
    how.kind === 'cell' ? !shape.key.includes(column.name) : column.name === shape.key.at(-1),
  );
  const cell = cells[how.cell % cells.length];
  assert.ok(cell);
  const column = quoteName(cell.name);
  if (how.kind === 'cell') {
    const after = await one(
      `update ${name} as t set ${column} = ${damagedValue(cell.type, column)} where ctid = ?::tid returning to_jsonb(t) as row`,
    );
    return { table: shape.table, roomId: row.room_id, key: keyOf(row), before: row, after, changed: [cell.name] };
  }
  const values = shape.columns.map((one) =>
    one.name === cell.name ? damagedValue(one.type, column, 1_000) : quoteName(one.name),
  );
  const after = await one(
    `insert into ${name} as t (${shape.columns.map((one) => quoteName(one.name)).join(', ')})
     select ${values.join(', ')} from ${name} where ctid = ?::tid returning to_jsonb(t) as row`,
  );
  return { table: shape.table, roomId: after.room_id, key: keyOf(after), before: null, after, changed: [] };
}

function damagedValue(type: string, column: string, step = 1): string {
  if (type === 'text') return `coalesce(${column}, '') || '!'`;
  if (type === 'boolean') return `not ${column}`;
  if (type === 'jsonb') return `${column} || '{"damaged": true}'`;
  return `coalesce(${column}, 0) + ${step}`;
}
