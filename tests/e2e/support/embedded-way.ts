// The embedded way: `main.ts` as `npm start` runs it, with nothing set but free ports and a folder for the data.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../platform/free-port.ts';
import { Rest } from './rest.ts';
import { startRole } from './role-process.ts';
import type { Way } from './way.ts';

export async function openEmbeddedWay(env: Readonly<Record<string, string>> = {}): Promise<Way> {
  const dataDir = await mkdtemp(join(tmpdir(), 'roomlog-e2e-'));
  const ports = new Set<number>();
  while (ports.size < 3) ports.add(await freePort(ports));
  const [http = 0, socket = 0, projections = 0] = ports;
  const origin = `http://127.0.0.1:${http}`;
  const start = () =>
    startRole({
      file: 'main.ts',
      env: {
        DATA_DIR: dataDir,
        CHAT_SERVICE_PORT: String(http),
        REALTIME_PORT: String(socket),
        PROJECTIONS_PORT: String(projections),
        ...env,
      },
      readyUrl: `${origin}/ready`,
    });
  let main = await start();
  return {
    rest: new Rest(() => origin),
    socketUrl: `ws://127.0.0.1:${socket}`,
    secret: (await readFile(join(dataDir, 'jwt-secret'), 'utf8')).trim(),
    origins: {
      commands: origin,
      'read-api': origin,
      realtime: `http://127.0.0.1:${socket}`,
      projections: `http://127.0.0.1:${projections}`,
    },
    processes: () => [main],
    restart: async () => {
      await main.stop();
      main = await start();
    },
    crash: async () => {
      await main.kill();
      main = await start();
    },
    close: async () => {
      const code = await main.stop();
      await rm(dataDir, { recursive: true, force: true });
      return [code];
    },
  };
}
