import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, type OutgoingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type Router from '@koa/router';
import knex from 'knex';
import { after, before, describe, it } from 'mocha';
import { openMemoryEventLog } from '../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../event-log/memory/memory-store.ts';
import { createTokenVerifier } from '../platform/auth.ts';
import { systemClock } from '../platform/clock.ts';
import { createMemoryExpiringSets } from '../platform/expiring-sets.ts';
import { closeServer, createHttpApp, listen } from '../platform/http-app.ts';
import { Lifecycle } from '../platform/lifecycle.ts';
import { createLogger } from '../platform/logger.ts';
import { createMetrics } from '../platform/metrics.ts';
import type { Role } from '../platform/role.ts';
import { createQueries } from '../read-api/queries/queries.ts';
import { openReadApiRole } from '../read-api/role.ts';
import { REJECTIONS } from '../schemas/rejections.ts';
import type { RestOperation } from '../schemas/rest-operation.ts';
import { REST_OPERATIONS } from '../schemas/rest-operations.ts';
import { JWT_SECRET, openCommandsServer } from '../tests/support/commands-server.ts';
import { openRealtimeWorld } from '../tests/support/realtime-world.ts';
import { documentRoutes, SOCKET_PORT } from './document-routes.ts';

const OPERATIONS: readonly RestOperation[] = Object.values(REST_OPERATIONS);

describe('the routes that are mounted', () => {
  it('DOC-5 are the operations of the OpenAPI document, no more and no fewer', async () => {
    const mounted = [await commandsRole(), await readApiRole(), await realtimeRole()].flatMap(operationsOf);
    // What is there by no router: every port's own answers, and documents.
    const { giveDevToken, health, ready, metrics, openApi, asyncApi, showCodes } = REST_OPERATIONS;
    const others = [giveDevToken, health, ready, metrics, openApi, asyncApi, showCodes].map(nameOf);
    assert.deepEqual([...mounted, ...others].sort(), OPERATIONS.map(nameOf).sort());
  });
});

describe('the route of the documents', () => {
  const logger = createLogger('test', 'silent');
  let server: Server;

  before(async () => {
    const app = createHttpApp({
      role: 'test',
      log: logger,
      metrics: createMetrics(),
      problems: REJECTIONS,
      frontendUrl: '*',
      bodyLimitBytes: 1_000,
      ready: {},
    });
    for (const route of documentRoutes({ socketPort: SOCKET_PORT })) app.use(route);
    server = await listen(app, 0, '127.0.0.1');
  });

  after(() => closeServer(server, 0));

  async function hostFor(host: string): Promise<string> {
    const document = await get(server, REST_OPERATIONS.asyncApi.path, { host });
    return (JSON.parse(document) as { servers: { socket: { host: string } } }).servers.socket.host;
  }

  it('DOC-7 names the port of the sockets on the host that was asked, where that is another port', async () => {
    assert.equal(await hostFor('chat.example:3000'), 'chat.example:3002');
    assert.equal(await hostFor('chat.example'), 'chat.example:3002');
    assert.equal(await hostFor('[::1]:3000'), '[::1]:3002');
  });

  it('DOC-7 shows nothing of a host that is none', async () => {
    assert.equal(await hostFor('"><script>'), 'localhost:3002');
    assert.equal(await hostFor('a b'), 'localhost:3002');
  });
});

function nameOf({ method, path }: { method: string; path: string }): string {
  return `${method} ${path}`;
}

/** What the role's routers answer, with parameters in braces. */
function operationsOf({ routes }: Role): string[] {
  const routers = new Set(routes.flatMap((route) => ('router' in route ? [route.router as Router] : [])));
  const layers = [...routers].flatMap(({ stack }) => stack);
  return layers.flatMap(({ methods, path }) =>
    methods
      .filter((method) => method !== 'HEAD')
      .map((method) =>
        nameOf({
          method,
          path: String(path)
            .replace(/:(\w+)/g, '{$1}')
            .replace(/\/$/, ''),
        }),
      ),
  );
}

async function commandsRole(): Promise<Role> {
  const { log } = openMemoryEventLog(new MemoryStore(1));
  const commands = await openCommandsServer(log);
  await commands.close();
  return commands.role;
}

/** Nobody asks it anything, so its database need not be there. */
async function readApiRole(): Promise<Role> {
  const logger = createLogger('test', 'silent');
  return openReadApiRole({
    settings: { publicHistory: false, maxRefills: 1, maxWaiting: 1 },
    lifecycle: new Lifecycle({ log: logger, onFailure: () => undefined }),
    logger,
    metrics: createMetrics(),
    queries: createQueries({ db: knex({ client: 'pg' }) }),
    cache: null,
    sets: createMemoryExpiringSets({ clock: systemClock, maxMembers: 1 }),
    written: null,
    verifier: createTokenVerifier({ secret: JWT_SECRET }),
    clock: systemClock,
  });
}

async function realtimeRole(): Promise<Role> {
  const world = await openRealtimeWorld();
  const { role } = await world.openNode();
  await world.close();
  return role;
}

/** fetch does not let the Host header be chosen. */
async function get(server: Server, path: string, headers: OutgoingHttpHeaders): Promise<string> {
  const { port } = server.address() as AddressInfo;
  const sent = request({ host: '127.0.0.1', port, path, headers }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return text(response);
}
