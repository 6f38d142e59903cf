// A Redis server of one test's own, which it may empty.
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureTools } from '../../ops/stack/ensure-tools.ts';
import { redisServer } from '../../ops/stack/redis-server.ts';
import { freePort } from '../../platform/free-port.ts';
import { openRedis, type RedisClient } from '../../platform/redis.ts';
import { silent } from './history-harness.ts';

export type OwnRedis = {
  client: RedisClient;
  port: number;
  /** Ends the server as a crash does; what was in it is gone. */
  kill(): Promise<void>;
  /** Starts it again, empty, on the same port. */
  start(): Promise<void>;
  stop(): Promise<void>;
};

const CACHE_DIR = new URL('../../.cache', import.meta.url).pathname;

export async function startOwnRedis(): Promise<OwnRedis> {
  const tools = await ensureTools(['redis-server'], { cacheDir: CACHE_DIR, onProgress: () => undefined });
  const dataDir = await mkdtemp(join(tmpdir(), 'roomlog-redis-'));
  const port = await freePort();
  const server = redisServer({ command: tools['redis-server'], dataDir, pidFile: join(dataDir, 'redis.pid'), port });
  await server.start();
  const client = openRedis({ host: '127.0.0.1', port, connectionName: 'own-redis' }, silent);
  await once(client, 'ready');
  return {
    client,
    port,
    kill: () => server.kill(),
    start: () => server.start(),
    async stop() {
      client.disconnect();
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
