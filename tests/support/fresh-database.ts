// A database of one's own in a server that others use too, so that tests and benchmarks run beside each other and leave nothing.
import { randomBytes } from 'node:crypto';
import pg from 'pg';

export type FreshDatabase = { name: string; url: string; drop: () => Promise<void> };

/** Creates `<prefix>_<random>`; `serverUrl` is any database of the server. */
export async function createFreshDatabase(serverUrl: string, prefix: string): Promise<FreshDatabase> {
  const name = `${prefix}_${randomBytes(6).toString('hex')}`;
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  await runSql(serverUrl, `create database ${name}`);
  const drop = async () => void (await runSql(serverUrl, `drop database if exists ${name} with (force)`));
  return { name, url: url.href, drop };
}

/** The rows of one statement, over a connection of its own. */
export async function runSql(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}
