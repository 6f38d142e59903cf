// What a schema of PostgreSQL holds, as text that is the same for the same tables wherever they are.
import type { Database } from '../../platform/postgres.ts';

/** `schemas`: real name → the name to show. */
export async function dumpSchema(db: Database, schemas: ReadonlyMap<string, string>): Promise<string> {
  const parts: string[] = [];
  for (const [schema, shown] of schemas) {
    const tables = await names(db, schema, 'select tablename as name from pg_tables where schemaname = ? order by 1');
    for (const table of tables) parts.push(await dumpTable(db, schema, table, shown));
  }
  return parts.join('\n');
}

async function dumpTable(db: Database, schema: string, table: string, shown: string): Promise<string> {
  const { rows: columns } = await db.raw<{ rows: { name: string; type: string; required: boolean }[] }>(
    `select attname as name, format_type(atttypid, atttypmod) as type, attnotnull as required
       from pg_attribute where attrelid = format('%I.%I', ?::text, ?::text)::regclass and attnum > 0 order by attnum`,
    [schema, table],
  );
  const { rows: options } = await db.raw<{ rows: { options: string[] | null }[] }>(
    `select reloptions as options from pg_class where oid = format('%I.%I', ?::text, ?::text)::regclass`,
    [schema, table],
  );
  const { rows: constraints } = await db.raw<{ rows: { definition: string }[] }>(
    `select pg_get_constraintdef(oid) as definition from pg_constraint
      where conrelid = format('%I.%I', ?::text, ?::text)::regclass and contype <> 'n' order by conname`,
    [schema, table],
  );
  const { rows: indexes } = await db.raw<{ rows: { definition: string }[] }>(
    `select indexdef as definition from pg_indexes
      where schemaname = ? and tablename = ? and indexname not like '%_pkey' order by indexname`,
    [schema, table],
  );
  const lines = [
    ...columns.map(({ name, type, required }) => `  ${name} ${type}${required ? ' not null' : ''}`),
    ...constraints.map(({ definition }) => `  ${definition}`),
  ];
  const storage = options[0]?.options ? ` with (${options[0].options.join(', ')})` : '';
  const statements = [
    `create table ${shown}.${table} (\n${lines.join(',\n')}\n)${storage};`,
    ...indexes.map(({ definition }) => `${definition.replaceAll(`${schema}.`, `${shown}.`)};`),
  ];
  return `${statements.join('\n')}\n`;
}

async function names(db: Database, schema: string, sql: string): Promise<string[]> {
  const { rows } = await db.raw<{ rows: { name: string }[] }>(sql, [schema]);
  return rows.map(({ name }) => name);
}
