// Creates the log's tables where they are missing, and refuses a server on which the log's promises do not hold.
import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { LogSettingsError } from '../event-log.ts';

const DDL = readFileSync(new URL('./log-schema.sql', import.meta.url), 'utf8');

/**
 * Returns the number of partitions: the wanted one in a new log, else the one it was made with, because a stream never changes
 * its partition. Throws LogSettingsError.
 */
export async function prepareSchema(client: pg.Client, schema: string, partitions: number): Promise<number> {
  await assertSettings(client);
  await client.query('begin');
  // Two processes that start at the same time: "if not exists" alone lets both try, and one of them fail.
  await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`roomlog event log ${schema}`]);
  await client.query(`create schema if not exists "${schema}"`);
  await client.query(DDL);
  await client.query(
    `insert into partitions (partition)
     select number from generate_series(0, $1::integer - 1) as number
      where not exists (select from partitions)`,
    [partitions],
  );
  const { rows } = await client.query<{ count: number }>('select count(*)::integer as count from partitions');
  await client.query('commit');
  return rows[0]?.count ?? 0;
}

async function assertSettings(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string; setting: string }>(
    `select name, setting from pg_settings where name in ('fsync', 'full_page_writes', 'server_encoding')
     union all select 'pg_is_in_recovery', case when pg_is_in_recovery() then 'on' else 'off' end`,
  );
  const wanted = { fsync: 'on', full_page_writes: 'on', server_encoding: 'UTF8', pg_is_in_recovery: 'off' };
  const found = new Map(rows.map(({ name, setting }) => [name, setting]));
  const faults = Object.entries(wanted)
    .filter(([name, setting]) => found.get(name) !== setting)
    .map(([name, setting]) => `${name} is ${found.get(name)} and must be ${setting}`);
  if (faults.length > 0) throw new LogSettingsError(`PostgreSQL cannot hold the event log: ${faults.join('; ')}`);
}
