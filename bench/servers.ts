// Starts the product for a measurement, always on fresh data, as an operator would; only the limit on each user's writes is off,
// because the generator's users write faster than people.
import { globSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Stack, startStack } from '../ops/stack/start-stack.ts';
import { freePort } from '../platform/free-port.ts';
import { startPostgresServer } from '../platform/postgres-server.ts';
import { type RoleProcess, startRole } from '../tests/e2e/support/role-process.ts';
import { createFreshDatabase } from '../tests/support/fresh-database.ts';
import type { ServerProcess } from './processor-time.ts';

export type Servers = {
  /** Takes the writes, and in one process the reads too. */
  restUrl: URL;
  readUrl: URL;
  socketUrl: URL;
  secret: string;
  processes: readonly ServerProcess[];
  /** Stops the roles, so that the projections can be run alone on the log that they leave; the data stays until close(). */
  stopRoles(): Promise<ProjectionGround>;
  close(): Promise<void>;
};

/** What projections/main.ts needs to run alone on a log that is there. */
export type ProjectionGround = {
  databaseUrl: string;
  env: Record<string, string>;
  processes: readonly ServerProcess[];
};

const PRODUCT_ENV = { RATE_LIMIT_PER_SECOND: '0', RATE_LIMIT_BURST: '0', LOG_LEVEL: 'warn' };
const HOST = '127.0.0.1';

/** `npm start`, on data of its own. */
export async function openEmbedded(): Promise<Servers> {
  const dataDir = await mkdtemp(join(tmpdir(), 'roomlog-bench-'));
  const ports = await choosePorts(3);
  const [http = 0, socket = 0, projections = 0] = ports;
  const main = await startRole({
    file: 'main.ts',
    env: {
      ...PRODUCT_ENV,
      DATA_DIR: dataDir,
      CHAT_SERVICE_PORT: String(http),
      REALTIME_PORT: String(socket),
      PROJECTIONS_PORT: String(projections),
    },
    readyUrl: `http://${HOST}:${http}/ready`,
  });
  const [pidFile = ''] = globSync('**/postmaster.pid', { cwd: dataDir });
  const clusterDir = join(dataDir, pidFile, '..');
  const postgresPid = Number(readFileSync(join(dataDir, pidFile), 'utf8').split('\n')[0]);
  let stopPostgres: () => Promise<void> = () => Promise.resolve();
  return {
    ...urls(http, http, socket),
    secret: (await readFile(join(dataDir, 'jwt-secret'), 'utf8')).trim(),
    processes: [
      { name: 'roomlog', pid: main.pid, withDescendants: false },
      { name: 'postgres', pid: postgresPid, withDescendants: true },
    ],
    stopRoles: async () => {
      await main.stop();
      const server = await startPostgresServer({ dataDir: join(clusterDir, '..') });
      stopPostgres = server.stop;
      const postgres = { name: 'postgres', pid: server.pid, withDescendants: true };
      return { databaseUrl: server.databaseUrl, env: { DATABASE_URL: server.databaseUrl }, processes: [postgres] };
    },
    close: async () => {
      await main.stop();
      await stopPostgres();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

const CACHE = fileURLToPath(new URL('../.cache', import.meta.url));

/** Runs the task with the servers of `npm run stack`, on data of their own that is removed afterwards. */
export async function withStack<Value>(
  onProgress: (line: string) => void,
  task: (stack: Stack) => Promise<Value>,
): Promise<Value> {
  const dataDir = join(tmpdir(), `roomlog-bench-stack-${process.pid}`);
  let stack: Stack | undefined;
  try {
    stack = await startStack({ dataDir, cacheDir: CACHE, onProgress });
    return await task(stack);
  } finally {
    await stack?.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

const ROLES = ['commands', 'projections', 'read-api', 'realtime'] as const;

/** On the stack's servers, with a topic and a database of its own: all roles in one process, or a process per role. */
export async function openOnKafka(stack: Stack, apart: boolean): Promise<Servers> {
  const database = await createFreshDatabase(stack.env.DATABASE_URL ?? '', 'bench');
  const [http = 0, socket = 0, projections = 0, read = 0] = await choosePorts(4);
  const env = {
    ...stack.env,
    ...PRODUCT_ENV,
    DATABASE_URL: database.url,
    LOG_TOPIC: database.name,
    CHAT_SERVICE_PORT: String(http),
    REALTIME_PORT: String(socket),
    PROJECTIONS_PORT: String(projections),
    READ_API_PORT: String(read),
    COMMANDS_URL: `http://${HOST}:${http}`,
  };
  const portOf = { commands: http, projections, 'read-api': read, realtime: socket };
  const roles: { name: string; process: RoleProcess }[] = [];
  if (apart) {
    for (const role of ROLES) {
      const readyUrl = `http://${HOST}:${portOf[role]}/ready`;
      roles.push({ name: role, process: await startRole({ file: `${role}/main.ts`, env, readyUrl }) });
    }
  } else {
    const readyUrl = `http://${HOST}:${http}/ready`;
    roles.push({ name: 'roomlog', process: await startRole({ file: 'main.ts', env, readyUrl }) });
  }
  const stopAll = () => Promise.all(roles.map(({ process }) => process.stop()));
  const servers = stack.servers.map((server) => ({ name: server.name, pid: server.pid, withDescendants: true }));
  return {
    ...urls(http, apart ? read : http, socket),
    secret: stack.env.JWT_SECRET ?? '',
    processes: [
      ...roles.map((role) => ({ name: role.name, pid: role.process.pid, withDescendants: false })),
      ...servers,
    ],
    stopRoles: async () => {
      await stopAll();
      return { databaseUrl: database.url, env, processes: servers };
    },
    close: async () => {
      await stopAll();
      await database.drop();
    },
  };
}

function urls(http: number, read: number, socket: number): { restUrl: URL; readUrl: URL; socketUrl: URL } {
  return {
    restUrl: new URL(`http://${HOST}:${http}`),
    readUrl: new URL(`http://${HOST}:${read}`),
    socketUrl: new URL(`ws://${HOST}:${socket}`),
  };
}

async function choosePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort(ports));
  return [...ports];
}
