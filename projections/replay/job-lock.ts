// Lets one job at a time change which tables of a projection are live, or make ones that shall be. The lock is one of PostgreSQL's
// session, on a connection of its own, so a killed job never leaves it behind; who has it shows in the connection's name.
import pg from 'pg';
import type { Worker } from './job-row.ts';
import type { ReplayedProjection } from './replayed-projection.ts';

/** Somebody else works on the builds of the projection. */
class JobRunningError extends Error {
  override readonly name = 'JobRunningError';
  readonly code = 'job_running';
  readonly retryable = false;
}

/** With the first key nobody else takes locks (scratch-build.ts has another); the second is the projection's. */
const LOCK_CLASS = 7_203_913;
const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Runs `work` while nobody else does. Its signal is aborted when the connection that holds the lock breaks, or with `signal`. Throws
 * JobRunningError, which says who runs it and since when.
 */
export async function withJobLock<Result>(
  options: {
    databaseUrl: string;
    projection: ReplayedProjection;
    worker: Pick<Worker, 'pid' | 'host'>;
    verb: string;
    signal: AbortSignal;
  },
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const { databaseUrl, projection, verb, worker, signal } = options;
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: `roomlog ${verb} pid=${worker.pid} host=${worker.host}`.slice(0, 63),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  });
  const lost = new AbortController();
  client.on('error', () => lost.abort());
  client.on('end', () => lost.abort());
  await client.connect();
  try {
    await take(client, projection);
    const result = await work(AbortSignal.any([signal, lost.signal]));
    return result;
  } finally {
    // A connection that is broken already has nothing to give back.
    await client.end().catch(() => undefined);
  }
}

/** Who works on the builds now; null where nobody does. */
export async function findRunning(databaseUrl: string, projection: ReplayedProjection): Promise<string | null> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  await client.connect();
  try {
    return await describeHolder(client, projection);
  } finally {
    await client.end();
  }
}

async function take(client: pg.Client, projection: ReplayedProjection): Promise<void> {
  const { rows } = await client.query<{ taken: boolean }>(
    'select pg_try_advisory_lock($1::integer, hashtext($2)) as taken',
    [LOCK_CLASS, lockName(projection)],
  );
  if (rows[0]?.taken === true) return;
  const holder = await describeHolder(client, projection);
  throw new JobRunningError(
    `a job on ${projection.name} is running already: ${holder ?? 'it has just ended, try again'}`,
  );
}

async function describeHolder(client: pg.Client, projection: ReplayedProjection): Promise<string | null> {
  const { rows } = await client.query<{ application_name: string; backend_start: Date }>(
    `select activity.application_name, activity.backend_start
       from pg_locks as locks join pg_stat_activity as activity using (pid)
      where locks.locktype = 'advisory' and locks.granted and locks.objsubid = 2
        and locks.database = (select oid from pg_database where datname = current_database())
        and locks.classid::bigint = $1 and locks.objid::bigint = hashtext($2)::bigint & 4294967295`,
    [LOCK_CLASS, lockName(projection)],
  );
  const [holder] = rows;
  return holder === undefined ? null : `${holder.application_name}, since ${holder.backend_start.toISOString()}`;
}

function lockName({ bookkeepingSchema, name }: ReplayedProjection): string {
  return `${bookkeepingSchema}.${name}`;
}
