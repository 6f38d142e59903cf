/* Keeps a second Roomlog off data which one is already working on.
 *
 * The lock is a session-level advisory lock of PostgreSQL on a connection of its own: it ends with that connection, so a crash
 * never leaves a lock behind, and it also holds between machines. A pid file can do neither.
 */
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

export type DataLockOptions = {
  readonly databaseUrl: string;
  /** What the second one is told about the first, for example `roomlog`; process id and host are added. */
  readonly applicationName: string;
  /** Called at most once, when the connection and with it the lock is lost before `release`. */
  readonly onLost: (error: Error) => void;
};

export type DataLock = {
  /** Gives the lock back; may be called any number of times. */
  readonly release: () => Promise<void>;
};

/** Another Roomlog is running on this data. */
export class DataInUseError extends Error {
  override readonly name = 'DataInUseError';
  readonly code = 'data_in_use';
  readonly retryable = false;
}

/* "roomlog" in ASCII, as a number: advisory locks have no names. */
const LOCK_KEY = '32210671712890727';
/* The server takes a moment to notice that a killed holder's connection is gone; only after that is a lock really somebody's. */
const ATTEMPTS = 15;
const PAUSE_MS = 100;
const CONNECT_TIMEOUT_MS = 10_000;
const QUERY_TIMEOUT_MS = 10_000;

/** Takes the data lock of a database; rejects with DataInUseError when another process holds it, after trying for 1.5 s. */
export async function acquireDataLock(options: DataLockOptions): Promise<DataLock> {
  const client = new pg.Client({
    connectionString: options.databaseUrl,
    application_name: `${options.applicationName} pid=${process.pid} host=${hostname()}`.slice(0, 63),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
  });
  let released = false;
  let lost: Error | undefined;
  const lose = (error: Error): void => {
    if (released || lost !== undefined) return;
    lost = error;
    options.onLost(new Error(`the connection that holds the data lock was lost: ${error.message}`, { cause: error }));
  };
  let held = false;
  client.on('error', (error) => {
    // Before the lock is held, the failing query says the same to the caller.
    if (held) lose(error);
  });
  client.on('end', () => {
    if (held) lose(new Error('the server closed it'));
  });
  await client.connect();
  try {
    await lockOrRefuse(client);
  } catch (error) {
    await client.end();
    throw error;
  }
  held = true;
  return {
    release: async () => {
      if (released) return;
      released = true;
      if (lost === undefined) await client.end();
    },
  };
}

async function lockOrRefuse(client: pg.Client): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const { rows } = await client.query<{ taken: boolean }>('select pg_try_advisory_lock($1) as taken', [LOCK_KEY]);
    if (rows[0]?.taken === true) return;
    if (attempt === ATTEMPTS) break;
    await delay(PAUSE_MS);
  }
  throw new DataInUseError(`another Roomlog is running on this data${await describeHolder(client)}; stop it first`);
}

async function describeHolder(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ application_name: string; backend_start: Date }>(
    `select activity.application_name, activity.backend_start
       from pg_locks as locks join pg_stat_activity as activity using (pid)
      where locks.locktype = 'advisory' and locks.granted
        and locks.database = (select oid from pg_database where datname = current_database())
        and (locks.classid::bigint << 32 | locks.objid::bigint) = $1`,
    [LOCK_KEY],
  );
  const holder = rows[0];
  return holder === undefined ? '' : ` (${holder.application_name}, since ${holder.backend_start.toISOString()})`;
}
