// Faults of the servers: killed and started again, emptied, with a full disk.
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { ServerName } from '../cluster/cluster.ts';
import { type FaultKind, lasting, nothing } from './fault.ts';

/** Milliseconds in which a server that had no disk may come to itself when it has one again; then it is started anew. */
const COME_BACK_MS = 3_000;

function killServer(server: ServerName): FaultKind {
  const name = `kill-${server}`;
  return {
    name,
    make: (deps) => {
      const victim = deps.cluster.servers.find((one) => one.name === server);
      if (!victim) return null;
      const lastsMs = lasting(deps, 300, 3_000, 15_000);
      return { name, target: server, lastsMs, begin: victim.kill, end: victim.restart };
    },
  };
}

/** Redis forgets everything, and goes on. */
const flushRedis: FaultKind = {
  name: 'flush-redis',
  make: ({ cluster }) => {
    const { redis } = cluster;
    if (!redis) return null;
    const begin = async (): Promise<void> => {
      const client = new Redis({ host: redis.host, port: redis.port, lazyConnect: true, maxRetriesPerRequest: 1 });
      // Rejected where Redis is down for another fault: then it is empty anyway.
      client.on('error', () => undefined);
      await client.flushall().catch(() => undefined);
      client.disconnect();
    };
    return { name: 'flush-redis', target: 'redis', lastsMs: 0, begin, end: nothing };
  },
};

/** Every byte of the log's disk is taken for a while. A server may give up itself at that: then it is started again. */
const fillDisk: FaultKind = {
  name: 'disk-full',
  make: (deps) => {
    const { disk, way, servers } = deps.cluster;
    const server = servers.find(({ name }) => name === way);
    if (!disk || !server) return null;
    return {
      name: 'disk-full',
      target: way,
      lastsMs: lasting(deps, 2_000, 5_000, 15_000),
      begin: () => disk.fill(),
      end: async () => {
        await disk.free();
        await delay(COME_BACK_MS);
        await server.restart();
      },
    };
  },
};

export const SERVER_FAULTS: readonly FaultKind[] = [
  killServer('kafka'),
  killServer('postgres'),
  killServer('redis'),
  killServer('registry'),
  flushRedis,
  fillDisk,
];
