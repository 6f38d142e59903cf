// Two processes with all roles each, on one PostgreSQL that holds the log and the history. No Kafka, no Redis.
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PostgresStackServer } from '../../../ops/stack/postgres-stack-server.ts';
import { freePort } from '../../../platform/free-port.ts';
import {
  type Cluster,
  type ClusterOptions,
  commonEnv,
  type Door,
  nodeWords,
  originOf,
  Proxies,
  startProcesses,
  stopInOrder,
  withPort,
} from './cluster.ts';
import { makeDataFolder, removeDataFolder } from './data-folder.ts';
import { mountSmallDisk } from './small-disk.ts';
import { SupervisedProcess } from './supervised-process.ts';

const MEMBERS = ['main-1', 'main-2'] as const;
const SCHEMA = 'roomlog_log';
const PARTITIONS = 4;

/** Rejects with what starting PostgreSQL rejects with. */
export async function openPostgresCluster(options: ClusterOptions): Promise<Cluster> {
  const dataDir = await makeDataFolder(tmpdir(), options.onProgress);
  const diskDir = join(dataDir, 'disk');
  const disk = await mountSmallDisk(diskDir, options.onProgress);
  const server = new PostgresStackServer({ dataDir: join(diskDir, 'postgres'), port: await freePort() });
  const proxies = new Proxies();
  let processes: Cluster['processes'] = [];
  const close = async (): Promise<void> => {
    await stopInOrder(processes);
    await server.stop();
    await proxies.close();
    await removeDataFolder(dataDir);
  };
  const secret = randomBytes(32).toString('hex');
  try {
    await server.start(options.signal);
    options.onProgress(`postgres: answers on 127.0.0.1:${server.port}`);
    const made = await makeProcesses({ server, proxies, secret, options });
    processes = made.processes;
    await startProcesses(processes, options.signal);
    return {
      way: 'postgres',
      secret,
      processes,
      servers: [
        {
          name: 'postgres',
          kill: () => server.kill(),
          restart: async () => {
            await server.kill();
            await server.start();
          },
        },
      ],
      links: proxies.links,
      doors: made.doors,
      disk,
      log: { kind: 'postgres', url: server.databaseUrl, schema: SCHEMA },
      databaseUrl: server.databaseUrl,
      redis: null,
      stopProcesses: () => stopInOrder(processes),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function makeProcesses(parts: {
  server: PostgresStackServer;
  proxies: Proxies;
  secret: string;
  options: ClusterOptions;
}): Promise<Pick<Cluster, 'processes' | 'doors'>> {
  const { server, proxies, secret, options } = parts;
  const taken = new Set<number>([server.port]);
  const choosePort = async (): Promise<number> => {
    const port = await freePort(taken);
    taken.add(port);
    return port;
  };
  const processes: { role: 'main'; process: SupervisedProcess }[] = [];
  const doors: { commands: Door[]; readApi: Door[]; realtime: Door[] } = { commands: [], readApi: [], realtime: [] };
  for (const name of MEMBERS) {
    const [http, realtime, projections] = [await choosePort(), await choosePort(), await choosePort()];
    const env = {
      ...commonEnv(secret),
      DATA_DIR: join(options.runDir, name),
      DATABASE_URL: withPort(server.databaseUrl, await proxies.link(name, 'postgres', server.port)),
      LOG_PARTITIONS: String(PARTITIONS),
      CHAT_SERVICE_PORT: String(http),
      REALTIME_PORT: String(realtime),
      PROJECTIONS_PORT: String(projections),
      COMMANDS_ADVERTISED_URL: originOf(await proxies.link('others', name, http)),
      ...options.env,
    };
    const logFile = join(options.runDir, `${name}.log`);
    const command = [...(await nodeWords(options)), 'main.ts'];
    const readyUrl = `${originOf(http)}/ready`;
    processes.push({
      role: 'main',
      process: new SupervisedProcess({ name, command, env, readyUrl, logFile }),
    });
    doors.commands.push(await proxies.door(name, http));
    doors.readApi.push(await proxies.door(name, http));
    doors.realtime.push(await proxies.door(name, realtime));
  }
  return { processes, doors };
}
