// The cluster way: one process per role on Kafka, a schema registry, PostgreSQL and Redis, with a topic and a database of its own.
import { randomBytes } from 'node:crypto';
import { freePort } from '../../../platform/free-port.ts';
import { createFreshDatabase } from '../../support/fresh-database.ts';
import { stackEnv } from '../../support/stack-env.ts';
import { Rest } from './rest.ts';
import { type RoleProcess, startRole } from './role-process.ts';
import type { RoleName, Way } from './way.ts';

/** In the order in which an operator would start them; none of them may depend on it. */
const ROLES: readonly RoleName[] = ['commands', 'projections', 'read-api', 'realtime'];
const PORT_SETTINGS: Readonly<Record<RoleName, string>> = {
  commands: 'CHAT_SERVICE_PORT',
  'read-api': 'READ_API_PORT',
  realtime: 'REALTIME_PORT',
  projections: 'PROJECTIONS_PORT',
};

export async function openClusterWay(env: Readonly<Record<string, string>> = {}): Promise<Way> {
  const database = await createFreshDatabase(stackEnv.databaseUrl(), 'e2e');
  const secret = randomBytes(32).toString('hex');
  const ports = await choosePorts();
  const common = {
    KAFKA_BROKERS: stackEnv.kafkaBrokers().join(','),
    SCHEMA_REGISTRY_URL: stackEnv.schemaRegistryUrl(),
    DATABASE_URL: database.url,
    REDIS_HOST: stackEnv.redis().host,
    REDIS_PORT: String(stackEnv.redis().port),
    JWT_SECRET: secret,
    LOG_TOPIC: database.name,
    COMMANDS_URL: originOf(ports.commands),
    ...env,
  };
  const start = (role: RoleName): Promise<RoleProcess> =>
    startRole({
      file: `${role}/main.ts`,
      env: { ...common, [PORT_SETTINGS[role]]: String(ports[role]) },
      readyUrl: `${originOf(ports[role])}/ready`,
    });
  const running = new Map<RoleName, RoleProcess>();
  const stopAll = () => Promise.all([...running.values()].map((process) => process.stop()));
  const starts = await Promise.allSettled(ROLES.map(async (role) => running.set(role, await start(role))));
  for (const failed of starts.filter((result) => result.status === 'rejected')) {
    await stopAll();
    await database.drop();
    throw failed.reason;
  }
  return {
    rest: new Rest((method, path) => originOf(ports[roleOf(method, path)])),
    socketUrl: `ws://127.0.0.1:${ports.realtime}`,
    secret,
    origins: {
      commands: originOf(ports.commands),
      'read-api': originOf(ports['read-api']),
      realtime: originOf(ports.realtime),
      projections: originOf(ports.projections),
    },
    processes: () => [...running.values()],
    restart: async (role) => {
      await running.get(role)?.stop();
      running.set(role, await start(role));
    },
    crash: async (role) => {
      await running.get(role)?.kill();
      running.set(role, await start(role));
    },
    close: async () => {
      const codes = await stopAll();
      await database.drop();
      return codes;
    },
  };
}

/** What the gateway does: writes to the commands, everything else to the read API (ops/gateway/haproxy.cfg). */
function roleOf(method: string, path: string): RoleName {
  const isRead = method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || path === '/api/v1/messages/active';
  return isRead ? 'read-api' : 'commands';
}

function originOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}

async function choosePorts(): Promise<Record<RoleName, number>> {
  const ports = new Set<number>();
  while (ports.size < ROLES.length) ports.add(await freePort(ports));
  const [commands = 0, readApi = 0, realtime = 0, projections = 0] = ports;
  return { commands, 'read-api': readApi, realtime, projections };
}
