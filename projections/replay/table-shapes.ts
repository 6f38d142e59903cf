// What tables a schema has, which columns, and by which key: asked of PostgreSQL, so that a comparison knows also the tables of a
// build that is older or newer than this code.
import type { Knex } from 'knex';
import { queryRows } from '../../platform/sql.ts';

export type Column = { name: string; type: string };
export type TableShape = {
  table: string;
  /** In the order of their names. */
  columns: readonly Column[];
  /** The columns of the primary key, in its order; empty where there is none. */
  key: readonly string[];
};

/** The tables of the schema by name. A schema that does not exist has none. */
export async function loadTableShapes(tx: Knex, schema: string): Promise<Map<string, TableShape>> {
  const shapes = await queryRows<TableShape>(
    tx,
    `select class.relname as "table",
            coalesce((select jsonb_agg(jsonb_build_object('name', attname, 'type', format_type(atttypid, atttypmod))
                                       order by attname collate "C")
                        from pg_attribute
                       where attrelid = class.oid and attnum > 0 and not attisdropped), '[]') as columns,
            coalesce((select jsonb_agg(attname order by place)
                        from pg_index, unnest(indkey::smallint[]) with ordinality as part (number, place), pg_attribute
                       where indrelid = class.oid and indisprimary
                         and attrelid = class.oid and attnum = part.number), '[]') as key
       from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
      where namespace.nspname = ? and class.relkind in ('r', 'p')
      order by class.relname collate "C"`,
    [schema],
  );
  return new Map(shapes.map((shape) => [shape.table, shape]));
}

/** The shape that two tables of one name have in common, and what they have not. */
export type SharedShape = {
  table: string;
  /** Columns with one name and one type on both sides. */
  columns: readonly string[];
  key: readonly Column[];
  onlyLeft: readonly string[];
  onlyRight: readonly string[];
  /** One name, two types: not compared. */
  retyped: readonly string[];
};

/**
 * The key is that of the left table, else of the right one, if all its columns are common; else every common column: then a row that
 * changed shows as one that went and one that came.
 */
export function sharedShape(left: TableShape, right: TableShape): SharedShape {
  const typesOnRight = new Map(right.columns.map(({ name, type }) => [name, type]));
  const namesOnLeft = new Set(left.columns.map(({ name }) => name));
  const common = left.columns.filter(({ name, type }) => typesOnRight.get(name) === type);
  const commonByName = new Map(common.map((column) => [column.name, column]));
  const keys = [left.key, right.key].map((key) => key.flatMap((name) => commonByName.get(name) ?? []));
  const whole = keys.find((key, at) => key.length > 0 && key.length === [left.key, right.key][at]?.length);
  return {
    table: left.table,
    columns: common.map(({ name }) => name),
    key: whole ?? common,
    onlyLeft: left.columns.filter(({ name }) => !typesOnRight.has(name)).map(({ name }) => name),
    onlyRight: right.columns.filter(({ name }) => !namesOnLeft.has(name)).map(({ name }) => name),
    retyped: left.columns
      .filter(({ name, type }) => typesOnRight.has(name) && typesOnRight.get(name) !== type)
      .map(({ name }) => name),
  };
}
