// Redis, as a cache: what is in it can be built again, so it writes nothing to disk and comes back empty after a restart.
import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ProcessServer, type StackServer } from './stack-server.ts';

export type RedisServerOptions = {
  readonly command: string;
  readonly dataDir: string;
  readonly pidFile: string;
  readonly port: number;
};

const START_TIMEOUT_MS = 15_000;
const PROBE_TIMEOUT_MS = 2_000;

export function redisServer({ command, dataDir, pidFile, port }: RedisServerOptions): StackServer {
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dataDir, '--daemonize', 'no'];
  return new ProcessServer({
    name: 'redis',
    port,
    pidFile,
    logFile: join(dataDir, 'redis.log'),
    timeoutMs: START_TIMEOUT_MS,
    prepare: async () => {
      await mkdir(dataDir, { recursive: true });
      return {
        command: [command, ...settings, '--save', '', '--appendonly', 'no'],
        afterStop: () => Promise.resolve(),
      };
    },
    probe: () => ping(port),
  });
}

function ping(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    let answer = '';
    socket.setEncoding('utf8').setTimeout(PROBE_TIMEOUT_MS, () => socket.destroy(new Error('no answer to PING')));
    socket.on('connect', () => socket.write('PING\r\n'));
    socket.on('data', (text) => {
      answer += text;
      if (!answer.includes('\r\n')) return;
      if (answer.startsWith('+PONG')) resolve();
      socket.destroy(new Error(`unexpected answer to PING: ${answer.trim()}`));
    });
    // After `resolve` the rejection is without effect.
    socket.on('error', reject);
  });
}
