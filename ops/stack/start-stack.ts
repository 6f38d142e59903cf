// Starts the servers of the cluster way of running (Kafka, schema registry, PostgreSQL, Redis) natively on this machine, all at
// once, for `npm run stack` and for the tests. Everything listens on 127.0.0.1 only, and all data lies under one folder.
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { freePort, isPortFree } from '../../platform/free-port.ts';
import { identityOf, isRunning } from '../../platform/process-identity.ts';
import { ensureTools } from './ensure-tools.ts';
import { ensureJavaPrograms } from './java-programs.ts';
import { type KafkaListener, kafkaServer } from './kafka-server.ts';
import { PostgresStackServer } from './postgres-stack-server.ts';
import { redisServer } from './redis-server.ts';
import { registryServer, registryUrl } from './registry-server.ts';
import { endLeftover, readIdentity, SERVER_NAMES, type ServerName, type StackServer } from './stack-server.ts';

export type StackOptions = {
  /** Everything that the servers keep; a second start on it finds the data again. */
  readonly dataDir: string;
  /** Downloads; shared by all stacks of this machine. */
  readonly cacheDir: string;
  /** Ports to use where they are free; another one is chosen (and said so) where they are not, and for those not named here. */
  readonly ports?: Partial<Readonly<Record<ServerName, number>>>;
  /** More ports of Kafka, for clients that shall reach it by a proxy. */
  readonly kafkaListeners?: readonly KafkaListener[];
  readonly onProgress: (line: string) => void;
  /** Gives up the start: what runs already is stopped, and `startStack` rejects with the signal's reason. */
  readonly signal?: AbortSignal;
};

export type Stack = {
  /** What the roles read: KAFKA_BROKERS, SCHEMA_REGISTRY_URL, DATABASE_URL, REDIS_HOST, REDIS_PORT, JWT_SECRET. */
  readonly env: Readonly<Record<string, string>>;
  readonly servers: readonly Pick<StackServer, 'name' | 'pid' | 'port' | 'logFile'>[];
  /** Ends one server as a crash does (SIGKILL); resolves when it is gone. */
  readonly kill: (name: ServerName) => Promise<void>;
  /** Starts a killed server again, on the same data and port; resolves when it answers. One that still runs is killed first. */
  readonly restart: (name: ServerName) => Promise<void>;
  /** Stops all servers; may be called any number of times. Rejects when one could not be stopped. */
  readonly stop: () => Promise<void>;
};

/** Another stack is running on the same data folder. */
export class StackInUseError extends Error {
  override readonly name = 'StackInUseError';
  readonly code = 'stack_in_use';
  readonly retryable = false;
}

type Servers = {
  readonly kafka: StackServer;
  readonly registry: StackServer;
  readonly postgres: PostgresStackServer;
  readonly redis: StackServer;
};

/**
 * Starts all servers and resolves when each has answered a real request. Rejects with MissingToolsError, StackInUseError or
 * ServerStartError; whatever was started until then is stopped before. Servers that an earlier stack on this data left behind
 * are ended first.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const dataDir = resolve(options.dataDir);
  const runDir = join(dataDir, 'run');
  await mkdir(runDir, { recursive: true });
  const claimFile = join(runDir, 'stack.json');
  await claim(claimFile, dataDir);
  try {
    for (const name of SERVER_NAMES) {
      if (await endLeftover(pidFileOf(dataDir, name))) options.onProgress(`${name}: ended one that was left over`);
    }
    const servers = await makeServers(options, dataDir);
    await startAll(Object.values(servers), options);
    return toStack(servers, await devSecret(join(dataDir, 'jwt-secret')), claimFile);
  } catch (error) {
    await rm(claimFile, { force: true });
    throw error;
  }
}

function toStack(servers: Servers, jwtSecret: string, claimFile: string): Stack {
  let stopping: Promise<void> | undefined;
  return {
    env: {
      KAFKA_BROKERS: `127.0.0.1:${servers.kafka.port}`,
      SCHEMA_REGISTRY_URL: registryUrl(servers.registry.port),
      DATABASE_URL: servers.postgres.databaseUrl,
      REDIS_HOST: '127.0.0.1',
      REDIS_PORT: String(servers.redis.port),
      JWT_SECRET: jwtSecret,
    },
    servers: Object.values(servers),
    kill: (name) => servers[name].kill(),
    restart: async (name) => {
      await servers[name].kill();
      await servers[name].start();
    },
    stop: () => {
      stopping ??= stopAll(Object.values(servers)).finally(() => rm(claimFile, { force: true }));
      return stopping;
    },
  };
}

async function makeServers(options: StackOptions, dataDir: string): Promise<Servers> {
  const { cacheDir, onProgress } = options;
  const tools = await ensureTools(['java', 'redis-server'], { cacheDir, onProgress });
  const programs = await ensureJavaPrograms(tools.java, cacheDir, onProgress);
  const taken = new Set<number>();
  const portFor = async (name: ServerName | 'controller', wanted?: number): Promise<number> => {
    const isUsable = wanted !== undefined && !taken.has(wanted) && (await isPortFree(wanted));
    const port = isUsable ? wanted : await freePort(taken);
    if (wanted !== undefined && !isUsable) onProgress(`${name}: port ${wanted} is taken, using ${port}`);
    taken.add(port);
    return port;
  };
  const place = async (name: ServerName): Promise<{ dataDir: string; pidFile: string; port: number }> => ({
    dataDir: join(dataDir, name),
    pidFile: pidFileOf(dataDir, name),
    port: await portFor(name, options.ports?.[name]),
  });
  // One after the other, so that no two of them choose the same port.
  const { kafkaListeners: listeners = [] } = options;
  for (const listener of listeners) taken.add(listener.port);
  const kafka = await place('kafka');
  const registry = await place('registry');
  const postgres = await place('postgres');
  const redis = await place('redis');
  return {
    kafka: kafkaServer({ programs, ...kafka, controllerPort: await portFor('controller'), listeners }),
    registry: registryServer({ programs, ...registry }),
    postgres: new PostgresStackServer(postgres),
    redis: redisServer({ command: tools['redis-server'], ...redis }),
  };
}

/* The first failure ends the waiting for the others; all are stopped before it is reported. */
async function startAll(servers: readonly StackServer[], { onProgress, signal }: StackOptions): Promise<void> {
  const failure = new AbortController();
  const signals = signal === undefined ? [failure.signal] : [failure.signal, signal];
  const startedAt = performance.now();
  const starts = servers.map(async (server) => {
    try {
      await server.start(AbortSignal.any(signals));
    } catch (error) {
      failure.abort(error);
      throw error;
    }
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    onProgress(`${server.name}: answers on 127.0.0.1:${server.port} (${seconds} s)`);
  });
  const results = await Promise.allSettled(starts);
  if (results.every((result) => result.status === 'fulfilled')) return;
  await stopAll(servers);
  throw signal?.aborted === true ? signal.reason : failure.signal.reason;
}

async function stopAll(servers: readonly StackServer[]): Promise<void> {
  const results = await Promise.allSettled(servers.map((server) => server.stop()));
  const errors = results.flatMap((result): unknown[] => (result.status === 'rejected' ? [result.reason] : []));
  if (errors.length > 0) throw new AggregateError(errors, `could not stop: ${errors.map(String).join('; ')}`);
}

/* Says who works on this folder. A claim whose process is gone is taken over. */
async function claim(file: string, dataDir: string): Promise<void> {
  const holder = await readIdentity(file);
  if (holder !== undefined && (await isRunning(holder))) {
    throw new StackInUseError(`another stack (process ${holder.pid}) is running on ${dataDir}; stop it first`);
  }
  await writeFile(file, JSON.stringify(await identityOf(process.pid)));
}

/* Made once and kept, so that tokens stay valid over restarts. */
async function devSecret(file: string): Promise<string> {
  try {
    await writeFile(file, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  return (await readFile(file, 'utf8')).trim();
}

function pidFileOf(dataDir: string, name: ServerName): string {
  return join(dataDir, 'run', `${name}.json`);
}
