/* Runs a real PostgreSQL server of our own on a data folder: created when absent, adopted when already running, stopped in order.
 *
 * A server whose Roomlog died without stopping it would block its own data for the next one: PostgreSQL refuses a second postmaster
 * on a cluster. So a live postmaster named in `postmaster.pid` is taken over, at whatever port it has. Whether somebody else is
 * using it at this moment is not for the postmaster to say but for the data lock (data-lock.ts), taken here before anything is
 * returned: the refused one leaves the server to its owner.
 */
import { mkdir, readFile, realpath, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { acquireDataLock, type DataLock } from './data-lock.ts';
import { freePort } from './free-port.ts';
import { findPostgresAccount, findPostgresPrograms, giveTo, type PostgresAccount } from './postgres-account.ts';
import { clusterDirOf, ensureCluster, POSTGRES_USER } from './postgres-cluster.ts';
import {
  commandLineOf,
  identityOf,
  isRunning,
  type ProcessIdentity,
  type StopStep,
  signalProcess,
  stopProcess,
  waitForExit,
} from './process-identity.ts';
import { readTail, type ServerProcess, ServerStartError, startServerProcess } from './server-process.ts';

export type PostgresServerOptions = {
  readonly dataDir: string;
  /** On 127.0.0.1; a free one is chosen when absent. An adopted server keeps the port it has. */
  readonly port?: number;
  /** Default: `postgres.log` in the data folder. */
  readonly logFile?: string;
  /** Takes the data lock (data-lock.ts) under this name before the server is returned. */
  readonly lock?: { readonly applicationName: string; readonly onLost: (error: Error) => void };
  readonly signal?: AbortSignal;
  readonly onProgress?: (line: string) => void;
};

export type PostgresServer = {
  /** Of the database `roomlog`, for its owner. Holds a password: not for logs. */
  readonly databaseUrl: string;
  readonly pid: number;
  readonly port: number;
  readonly logFile: string;
  /** True when the server was already running. */
  readonly adopted: boolean;
  /** Gives the lock back and shuts the server down; may be called any number of times. */
  readonly stop: () => Promise<void>;
  /** Kills the postmaster as a crash would, and waits for its end; for fault tests. */
  readonly kill: () => Promise<void>;
};

type Running = { readonly identity: ProcessIdentity; readonly port: number; readonly child?: ServerProcess };
type Context = {
  readonly options: PostgresServerOptions;
  readonly clusterDir: string;
  readonly logFile: string;
  readonly program: string;
  readonly account: PostgresAccount;
  readonly password: string;
  readonly deadline: number;
};

const DATABASE = 'roomlog';
/* Long enough for the recovery after a crash, which reads up to max_wal_size of log. */
const START_TIMEOUT_MS = 120_000;
const CONNECT_TIMEOUT_MS = 5_000;
const PAUSE_MS = 20;
const RETRY_PAUSE_MS = 200;
/* Whoever started the server takes its lock first; somebody who found it running waits this long before asking for it. */
const ADOPTER_PAUSE_MS = 300;
/* Fast shutdown (ends sessions, writes a checkpoint), then immediate (recovers at the next start), then none at all. */
const STOP_STEPS: readonly StopStep[] = [
  { signal: 'SIGINT', waitMs: 30_000 },
  { signal: 'SIGQUIT', waitMs: 5_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
];
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '128MB',
  max_wal_size: '1GB',
  // An acknowledged event must survive a power cut: these two are the defaults, stated because everything rests on them.
  fsync: 'on',
  synchronous_commit: 'on',
  log_timezone: 'UTC',
  TimeZone: 'UTC',
};

/**
 * Starts (or adopts) the server and resolves when database `roomlog` answers. Rejects with PostgresUnavailableError,
 * ForeignDataError, ServerStartError or, when `lock` is asked for, DataInUseError; a server that was started here and did not
 * come up is stopped, one that belongs to somebody else is left alone.
 */
export async function startPostgresServer(options: PostgresServerOptions): Promise<PostgresServer> {
  const requestedDir = resolve(options.dataDir);
  const programs = await findPostgresPrograms();
  await mkdir(dirname(requestedDir), { recursive: true });
  const account = await findPostgresAccount(programs, dirname(requestedDir));
  const { password, created } = await ensureCluster(requestedDir, programs, account);
  // A running server is recognised by the folder on its command line, so that must always be the same name of it.
  const dataDir = await realpath(requestedDir);
  if (created) options.onProgress?.('postgres: created a new cluster');
  await giveTo(account, clusterDirOf(dataDir));
  const context: Context = {
    options,
    clusterDir: clusterDirOf(dataDir),
    logFile: options.logFile ?? join(dataDir, 'postgres.log'),
    program: programs.postgres,
    account,
    password,
    deadline: performance.now() + START_TIMEOUT_MS,
  };
  const running = await reachAnswering(context);
  try {
    await ensureDatabase(context, running.port);
  } catch (error) {
    if (running.child !== undefined) await stopProcess(running.identity, STOP_STEPS);
    throw error;
  }
  const lock = await takeLock(context, running);
  return toServer(context, running, lock);
}

/**
 * The server that runs on a data folder, as its owner connects to it; null where none does. It stays its owner's: it may end at any
 * moment, and whoever uses it like this does not hold the data lock.
 */
export async function findRunningServer(requestedDir: string): Promise<{ databaseUrl: string } | null> {
  const dataDir = await realpath(requestedDir).catch(() => null);
  const running = dataDir === null ? undefined : await findPostmaster(clusterDirOf(dataDir));
  if (dataDir === null || running === undefined) return null;
  const password = (await readFile(join(dataDir, 'password'), 'utf8')).trim();
  return { databaseUrl: databaseUrl({ password }, running.port, DATABASE) };
}

function toServer(context: Context, running: Running, lock: DataLock | undefined): PostgresServer {
  const { identity, port } = running;
  // The process that has the lock has the server, also when another one once started it.
  const onOurExit = (): void => {
    if (running.child === undefined) signalProcess(identity.pid, 'SIGINT');
  };
  if (lock !== undefined) process.once('exit', onOurExit);
  return {
    databaseUrl: databaseUrl(context, port, DATABASE),
    pid: identity.pid,
    port,
    logFile: context.logFile,
    adopted: running.child === undefined,
    stop: async () => {
      await lock?.release();
      process.off('exit', onOurExit);
      if (await stopProcess(identity, STOP_STEPS)) return;
      throw new Error(`PostgreSQL (pid ${identity.pid}) is still running after SIGKILL`);
    },
    kill: async () => {
      process.off('exit', onOurExit);
      await stopProcess(identity, [{ signal: 'SIGKILL', waitMs: 5_000 }]);
    },
  };
}

/* Loops because the world can change between looking and acting: the one found running may be shutting down, or another process
   may start one at the same moment. Ends at the context's deadline. */
async function reachAnswering(context: Context): Promise<Running> {
  for (;;) {
    const { signal } = context.options;
    signal?.throwIfAborted();
    const found = await findPostmaster(context.clusterDir);
    if (found !== undefined) {
      if (await adopt(context, found)) return found;
      continue;
    }
    const started = await launch(context);
    if (started !== undefined) return started;
    if (performance.now() > context.deadline) throw await startError(context, 'PostgreSQL could not be started');
    await delay(RETRY_PAUSE_MS);
  }
}

/* False when it ended while we were waiting, which a server in shutdown does. */
async function adopt(context: Context, found: Running): Promise<boolean> {
  context.options.onProgress?.(`postgres: already running (pid ${found.identity.pid}, port ${found.port})`);
  while (performance.now() < context.deadline) {
    context.options.signal?.throwIfAborted();
    try {
      await ping(context, found.port);
      return true;
    } catch (error) {
      if (!isStarting(error) && !isShuttingDown(error)) throw error;
    }
    if (await waitForExit(found.identity, PAUSE_MS)) return false;
  }
  throw await startError(
    context,
    `PostgreSQL (pid ${found.identity.pid}, port ${found.port}) is running but does not answer`,
  );
}

/* Undefined when this attempt failed for a reason that passes; the caller tries again. */
async function launch(context: Context): Promise<Running | undefined> {
  const port = context.options.port ?? (await freePort());
  const settings = Object.entries({ ...SETTINGS, port: String(port) });
  const child = await startServerProcess({
    name: 'postgres',
    command: [
      context.program,
      '-D',
      context.clusterDir,
      ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    logFile: context.logFile,
    // An immediate shutdown: there may be nobody left who waits for an orderly one, and recovery gives the same data.
    deathSignal: 'SIGQUIT',
    prefix: context.account.prefix,
    ...context.account.owner,
  });
  try {
    await child.waitUntilAnswering(() => ping(context, port), {
      timeoutMs: context.deadline - performance.now(),
      signal: context.options.signal,
    });
    return { identity: child.identity, port, child };
  } catch (error) {
    if (child.exit !== undefined && isPassing(await child.logTail(), context.options.port === undefined))
      return undefined;
    await child.stop(STOP_STEPS);
    throw error;
  }
}

/* The processes of a killed postmaster hold its shared memory until they notice, a moment later; another process may have been
   quicker to start a postmaster; a port chosen at random may have been taken since. */
function isPassing(log: string, isPortOurChoice: boolean): boolean {
  if (log.includes('pre-existing shared memory block') || log.includes('lock file "postmaster.pid"')) return true;
  return isPortOurChoice && log.includes('could not bind');
}

/* The postmaster that is serving this cluster. A stale file with the id of a process that is something else today would keep
   PostgreSQL from starting (it only asks whether the id exists, which in a restarted container it often does): it is removed. */
async function findPostmaster(clusterDir: string): Promise<Running | undefined> {
  const file = join(clusterDir, 'postmaster.pid');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const [pidLine = '', , , portLine = ''] = text.split('\n');
  const [pid, port] = [Number.parseInt(pidLine, 10), Number.parseInt(portLine, 10)];
  if (!(pid > 0 && port > 0)) return undefined;
  const identity = await identityOf(pid);
  const commandLine = await commandLineOf(pid);
  if (identity !== undefined && commandLine.includes('postgres') && commandLine.includes(clusterDir)) {
    return (await isRunning(identity)) ? { identity, port } : undefined;
  }
  // Read again right before: meanwhile somebody may have started a server, whose file this would then be.
  if ((await readFile(file, 'utf8').catch(() => undefined)) === text) await rm(file, { force: true });
  return undefined;
}

async function takeLock(context: Context, running: Running): Promise<DataLock | undefined> {
  const { lock } = context.options;
  if (lock === undefined) return undefined;
  if (running.child === undefined) await delay(ADOPTER_PAUSE_MS);
  return acquireDataLock({ databaseUrl: databaseUrl(context, running.port, DATABASE), ...lock });
}

async function ensureDatabase(context: Context, port: number): Promise<void> {
  await withClient(context, port, 'postgres', async (client) => {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (rowCount !== 0) return;
    try {
      await client.query(`create database ${DATABASE}`);
    } catch (error) {
      // Somebody else created it between the two statements: 42P04 when that was done, 23505 when it was under way.
      if (!hasCode(error, '42P04') && !hasCode(error, '23505')) throw error;
    }
  });
}

async function ping(context: Context, port: number): Promise<void> {
  await withClient(context, port, 'postgres', async (client) => {
    await client.query('select 1');
  });
}

async function withClient(
  context: Context,
  port: number,
  database: string,
  use: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const client = new pg.Client({
    connectionString: databaseUrl(context, port, database),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: CONNECT_TIMEOUT_MS,
  });
  // A connection that breaks also fails the query under way, which is where it is handled.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await use(client);
  } finally {
    await client.end();
  }
}

function databaseUrl(context: Pick<Context, 'password'>, port: number, database: string): string {
  return `postgres://${POSTGRES_USER}:${context.password}@127.0.0.1:${port}/${database}`;
}

async function startError(context: Context, message: string): Promise<ServerStartError> {
  return new ServerStartError(`${message}\nThe end of ${context.logFile}:\n${await readTail(context.logFile)}`);
}

function isStarting(error: unknown): boolean {
  return hasCode(error, 'ECONNREFUSED') || hasCode(error, '57P03');
}

function isShuttingDown(error: unknown): boolean {
  return hasCode(error, '57P01') || hasCode(error, '57P02') || hasCode(error, 'ECONNRESET');
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
