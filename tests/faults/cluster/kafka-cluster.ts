// One process per role, two of most, on Kafka, a schema registry, PostgreSQL and Redis of the run's own. Each process has its own way
// to each server: the broker has a listener for every process, which tells it to come back by the proxy in front of that listener.
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KafkaListener, logDirOf } from '../../../ops/stack/kafka-server.ts';
import { type Stack, startStack } from '../../../ops/stack/start-stack.ts';
import { freePort } from '../../../platform/free-port.ts';
import { roomCachePrefix } from '../../../projections/cache/redis-room-cache.ts';
import { createFreshDatabase } from '../../support/fresh-database.ts';
import {
  type Cluster,
  type ClusterOptions,
  commonEnv,
  nodeWords,
  originOf,
  Proxies,
  type RoleName,
  startProcesses,
  stopInOrder,
  withPort,
} from './cluster.ts';
import { makeDataFolder, removeDataFolder } from './data-folder.ts';
import { mountSmallDisk, type SmallDisk } from './small-disk.ts';
import { SupervisedProcess } from './supervised-process.ts';

const MEMBERS = [
  { name: 'commands-1', role: 'commands' },
  { name: 'commands-2', role: 'commands' },
  { name: 'projections-1', role: 'projections' },
  { name: 'projections-2', role: 'projections' },
  { name: 'read-api-1', role: 'read-api' },
  { name: 'realtime-1', role: 'realtime' },
  { name: 'realtime-2', role: 'realtime' },
] as const satisfies readonly { name: string; role: RoleName }[];
type MemberName = (typeof MEMBERS)[number]['name'];

const PARTITIONS = 4;
const PORT_SETTINGS: Readonly<Record<(typeof MEMBERS)[number]['role'], string>> = {
  commands: 'CHAT_SERVICE_PORT',
  'read-api': 'READ_API_PORT',
  realtime: 'REALTIME_PORT',
  projections: 'PROJECTIONS_PORT',
};

/** Servers, which several clusters may use one after the other. */
export type KafkaServers = {
  stack: Stack;
  proxies: Proxies;
  brokerPorts: ReadonlyMap<MemberName, number>;
  disk: SmallDisk | null;
  close(): Promise<void>;
};

/** Rejects with what startStack rejects with. */
export async function openKafkaServers(options: Omit<ClusterOptions, 'runDir'>): Promise<KafkaServers> {
  const dataDir = await makeDataFolder(tmpdir(), options.onProgress);
  const disk = await mountSmallDisk(logDirOf(join(dataDir, 'kafka')), options.onProgress);
  const proxies = new Proxies();
  const brokerPorts = new Map<MemberName, number>();
  const listeners: KafkaListener[] = [];
  const taken = new Set<number>();
  for (const [index, { name }] of MEMBERS.entries()) {
    const port = await freePort(taken);
    taken.add(port);
    const advertisedPort = await proxies.link(name, 'kafka', port);
    brokerPorts.set(name, advertisedPort);
    listeners.push({ name: `MEMBER${index}`, port, advertisedPort });
  }
  const release = async (): Promise<void> => {
    await proxies.close();
    await removeDataFolder(dataDir);
  };
  try {
    const stack = await startStack({ ...options, dataDir, kafkaListeners: listeners });
    const close = async (): Promise<void> => {
      await stack.stop();
      await release();
    };
    return { stack, proxies, brokerPorts, disk, close };
  } catch (error) {
    await release();
    throw error;
  }
}

/** Servers and processes of its own. */
export async function openKafkaCluster(options: ClusterOptions): Promise<Cluster> {
  const servers = await openKafkaServers(options);
  try {
    const cluster = await openClusterOn(servers, options);
    const close = async (): Promise<void> => {
      await cluster.close();
      await servers.close();
    };
    return { ...cluster, close };
  } catch (error) {
    await servers.close();
    throw error;
  }
}

/** Processes with a topic and a database of their own. */
export async function openClusterOn(servers: KafkaServers, options: ClusterOptions): Promise<Cluster> {
  const { stack } = servers;
  const database = await createFreshDatabase(setting(stack, 'DATABASE_URL'), 'faults');
  const secret = randomBytes(32).toString('hex');
  const proxies = new Proxies();
  const { processes, doors } = await makeProcesses({ servers, proxies, database, secret, options });
  const close = async (): Promise<void> => {
    await stopInOrder(processes);
    await proxies.close();
  };
  try {
    await startProcesses(processes, options.signal);
  } catch (error) {
    await close();
    throw error;
  }
  const serverNames = ['kafka', 'registry', 'postgres', 'redis'] as const;
  return {
    way: 'kafka',
    secret,
    processes,
    servers: serverNames.map((name) => ({
      name,
      kill: () => stack.kill(name),
      restart: () => stack.restart(name),
    })),
    links: [...servers.proxies.links, ...proxies.links],
    doors,
    disk: servers.disk,
    log: {
      kind: 'kafka',
      brokers: [setting(stack, 'KAFKA_BROKERS')],
      registryUrl: setting(stack, 'SCHEMA_REGISTRY_URL'),
      topic: database.name,
      partitions: PARTITIONS,
    },
    databaseUrl: database.url,
    redis: { host: '127.0.0.1', port: Number(setting(stack, 'REDIS_PORT')), prefix: roomCachePrefix(database.name) },
    stopProcesses: () => stopInOrder(processes),
    close,
  };
}

async function makeProcesses(parts: {
  servers: KafkaServers;
  proxies: Proxies;
  database: { name: string; url: string };
  secret: string;
  options: ClusterOptions;
}): Promise<Pick<Cluster, 'processes' | 'doors'>> {
  const { proxies, database, secret, options } = parts;
  const ports = new Map<MemberName, number>();
  for (const { name } of MEMBERS) ports.set(name, await freePort(new Set(ports.values())));
  const portOf = (name: MemberName): number => ports.get(name) ?? 0;
  const commandNodes = MEMBERS.filter(({ role }) => role === 'commands');
  // Where the other processes reach each commands node; what clients come by is another way, so that each can break alone.
  const advertised = new Map<MemberName, string>();
  for (const { name } of commandNodes) advertised.set(name, originOf(await proxies.link('others', name, portOf(name))));

  const processes = await Promise.all(
    MEMBERS.map(async ({ name, role }) => {
      const env = {
        ...commonEnv(secret),
        ...(await serverEnv(name, parts)),
        LOG_TOPIC: database.name,
        LOG_PARTITIONS: String(PARTITIONS),
        [PORT_SETTINGS[role]]: String(portOf(name)),
        COMMANDS_URL: [...advertised.values()].join(','),
        ...(role === 'commands' ? { COMMANDS_ADVERTISED_URL: advertised.get(name) ?? '' } : {}),
        ...options.env,
      };
      const logFile = join(options.runDir, `${name}.log`);
      const command = [...(await nodeWords(options)), `${role}/main.ts`];
      const readyUrl = `${originOf(portOf(name))}/ready`;
      return {
        role,
        process: new SupervisedProcess({ name, command, env, readyUrl, logFile }),
      };
    }),
  );
  const doorsOf = (wanted: RoleName) =>
    Promise.all(MEMBERS.filter(({ role }) => role === wanted).map(({ name }) => proxies.door(name, portOf(name))));
  const doors = {
    commands: await doorsOf('commands'),
    readApi: await doorsOf('read-api'),
    realtime: await doorsOf('realtime'),
  };
  return { processes, doors };
}

/** Each server by a proxy of this process alone. */
async function serverEnv(
  name: MemberName,
  { servers, proxies, database }: { servers: KafkaServers; proxies: Proxies; database: { url: string } },
): Promise<Record<string, string>> {
  const { stack, brokerPorts } = servers;
  const registry = new URL(setting(stack, 'SCHEMA_REGISTRY_URL'));
  const postgres = new URL(database.url);
  return {
    KAFKA_BROKERS: `127.0.0.1:${brokerPorts.get(name)}`,
    SCHEMA_REGISTRY_URL: withPort(registry.href, await proxies.link(name, 'registry', Number(registry.port))),
    DATABASE_URL: withPort(postgres.href, await proxies.link(name, 'postgres', Number(postgres.port))),
    REDIS_HOST: '127.0.0.1',
    REDIS_PORT: String(await proxies.link(name, 'redis', Number(setting(stack, 'REDIS_PORT')))),
  };
}

function setting(stack: Stack, name: string): string {
  const value = stack.env[name];
  if (value === undefined) throw new Error(`the stack does not say ${name}`);
  return value;
}
