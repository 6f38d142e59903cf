// Connections to PostgreSQL: a knex instance for queries and migrations. Waits are bounded, so that a database that hangs turns
// into an error a caller can be told, not into a request that hangs too.
import knex, { type Knex } from 'knex';
import type { Logger } from './logger.ts';

export type Database = Knex;

export type DatabaseOptions = {
  url: string;
  poolMax: number;
  applicationName: string;
  statementTimeoutMs?: number;
  /**
   * For who holds locks that others wait for. A transaction of a process that was frozen or cut off is rolled back when it has stood
   * still for `standStillMs`, by the server; a statement that waits for a lock fails after `waitMs` and may be tried again.
   */
  locks?: { standStillMs: number; waitMs: number };
  /** Told of each connection before it is used. */
  onConnect?: (connection: OpenedConnection) => Promise<void>;
};

/** As the driver has it: which process of the server is at the other end, and from which port of ours. */
export type OpenedConnection = { processID: number; connection: { stream: { localPort?: number } } };

/** Opens no connection yet: the first query does. */
export function openDatabase(options: DatabaseOptions, log: Logger): Database {
  const statementTimeoutMs = options.statementTimeoutMs ?? 30_000;
  return knex({
    client: 'pg',
    connection: {
      connectionString: options.url,
      application_name: options.applicationName,
      connectionTimeoutMillis: 2_000,
      statement_timeout: statementTimeoutMs,
      // A server that is frozen does not end its statements itself.
      query_timeout: statementTimeoutMs + 1_000,
      keepAlive: true,
      ...lockSettings(options.locks),
    },
    acquireConnectionTimeout: 5_000,
    pool: { min: 0, max: options.poolMax, ...whenConnected(options.onConnect) },
    log: {
      warn: (message: string) => log.warn({ detail: message }, 'knex warned'),
      error: (message: string) => log.error({ detail: message }, 'knex failed'),
      deprecate: (message: string) => log.debug({ detail: message }, 'knex deprecation'),
      debug: () => {},
    },
  });
}

function whenConnected(onConnect: DatabaseOptions['onConnect']): object {
  if (onConnect === undefined) return {};
  return {
    afterCreate: (connection: OpenedConnection, done: (error: unknown, connection: OpenedConnection) => void) =>
      void onConnect(connection).then(
        () => done(null, connection),
        (error: unknown) => done(error, connection),
      ),
  };
}

/** tcp_user_timeout is for a client that does not take what the server sends, which is no idle transaction. */
function lockSettings(locks: DatabaseOptions['locks']): object {
  if (locks === undefined) return {};
  return {
    idle_in_transaction_session_timeout: locks.standStillMs,
    lock_timeout: locks.waitMs,
    options: `-c tcp_user_timeout=${locks.standStillMs}`,
  };
}
