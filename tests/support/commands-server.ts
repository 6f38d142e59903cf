// The commands role behind a real HTTP server, over any log.
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import type { Middleware } from 'koa';
import type { Registry } from 'prom-client';
import type { CommandPort } from '../../commands/client/command-port.ts';
import { openCommandsRole } from '../../commands/role.ts';
import type { Codec } from '../../event-log/codec/codec.ts';
import type { EventLog } from '../../event-log/event-log.ts';
import type { Assignment, Ownership } from '../../event-log/ownership/ownership.ts';
import { soleOwnership } from '../../event-log/ownership/sole-ownership.ts';
import type { SnapshotStore } from '../../event-log/snapshot-store.ts';
import { createTokenVerifier, signToken } from '../../platform/auth.ts';
import { systemClock } from '../../platform/clock.ts';
import { closeServer, createHttpApp, listen } from '../../platform/http-app.ts';
import { uuidv7Ids } from '../../platform/ids.ts';
import { Lifecycle } from '../../platform/lifecycle.ts';
import { createLogger } from '../../platform/logger.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { createRateLimit } from '../../platform/rate-limit.ts';
import type { Role } from '../../platform/role.ts';
import { openRole } from '../../platform/serve-role.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { REJECTIONS } from '../../schemas/rejections.ts';
import { assertDocumented } from './documented-rest.ts';
import { testCodec } from './write-side.ts';

export const JWT_SECRET = 'a secret that only these tests know';
export const INTERNAL_SECRET = 'another secret of these tests';

export type Reply = { status: number; headers: Headers; body: Record<string, unknown>; text: string };

export type CommandsServer = {
  url: string;
  role: Role;
  commands: CommandPort;
  /** As a user of that name; null sends no token. */
  post(path: string, body: unknown, user?: string | null): Promise<Reply>;
  get(path: string): Promise<Reply>;
  /** The value of a counter or gauge, summed over its labels. */
  metric(name: string): Promise<number>;
  close(): Promise<void>;
};

export async function openCommandsServer(
  eventLog: EventLog,
  options: {
    codec?: Codec;
    snapshots?: SnapshotStore;
    rateLimit?: { perSecond: number; burst: number };
    /** What requests pass before they reach the routes. */
    before?: Middleware;
    /** Where it is left out everything is the server's own, and nobody is told where that is. */
    openOwnership?: (address: string, onAssigned: (assignment: Assignment) => void) => Ownership;
  } = {},
): Promise<CommandsServer> {
  const logger = createLogger('test', 'silent');
  const failures: string[] = [];
  const lifecycle = new Lifecycle({ log: logger, onFailure: () => failures.push('a part failed') });
  const metrics = createMetrics();
  let url = '';
  const openOwnership = options.openOwnership ?? everythingHere(eventLog.partitions);
  const role = openCommandsRole({
    lifecycle,
    openOwnership: (_role, onAssigned) => lazyOwnership(() => openOwnership(url, onAssigned)),
    logger,
    written: null,
    snapshots: options.snapshots ?? null,
    metrics,
    eventLog,
    codec: options.codec ?? testCodec,
    verifier: createTokenVerifier({ secret: JWT_SECRET }),
    writeLimit: createRateLimit({ ...(options.rateLimit ?? { perSecond: 0, burst: 0 }), keyPrefix: 'test' }),
    internalSecret: INTERNAL_SECRET,
    ids: uuidv7Ids,
    clock: systemClock,
  });
  const app = createHttpApp({
    role: role.name,
    log: logger,
    metrics,
    problems: REJECTIONS,
    frontendUrl: '*',
    bodyLimitBytes: LIMITS.httpBodyBytes,
    ready: role.ready,
  });
  if (options.before) app.use(options.before);
  for (const route of role.routes) app.use(route);
  const server = await listen(app, 0, '127.0.0.1');
  lifecycle.add('http', () => closeServer(server, 100));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await openRole(role, lifecycle);
  return {
    url,
    role,
    commands: role.commands,
    post: (path, body, user = 'ada') =>
      ask(`${url}${path}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(user === null ? {} : { authorization: `Bearer ${tokenOf(user)}` }),
        },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    get: (path) => ask(`${url}${path}`),
    metric: (name) => sumOf(metrics, name),
    close: async () => {
      await lifecycle.stop();
      assert.deepEqual(failures, []);
    },
  };
}

const everythingHere = (partitions: number) => (_address: string, onAssigned: (assignment: Assignment) => void) =>
  soleOwnership({ role: 'commands', partitions, address: '', sessionMs: 6_000, onAssigned });

/** The address is known only when the server listens, which is before ownership is run. */
function lazyOwnership(open: () => Ownership): Ownership {
  let ownership: Ownership | undefined;
  const opened = (): Ownership => {
    ownership ??= open();
    return ownership;
  };
  return {
    run: () => opened().run(),
    handOver: (waitMs) => opened().handOver(waitMs),
    stop: () => opened().stop(),
  };
}

/** The value of a counter or gauge, summed over its labels. */
async function sumOf(metrics: Registry, name: string): Promise<number> {
  const metric = await metrics.getSingleMetric(name)?.get();
  return (metric?.values ?? []).reduce((sum, { value }) => sum + value, 0);
}

/** The user `operator` has the operator's role; the shown name is the user id in capitals. */
export function tokenOf(userId: string): string {
  return signToken({ userId, username: userId.toUpperCase(), isOperator: userId === 'operator' }, JWT_SECRET, 600);
}

/** An answer that is not as documented fails the test. */
export async function ask(url: string, init: RequestInit = {}): Promise<Reply> {
  const response = await fetch(url, init);
  const { status, headers } = response;
  const text = await response.text();
  const { pathname, search } = new URL(url);
  const sent = status < 300 && typeof init.body === 'string' ? JSON.parse(init.body) : undefined;
  assertDocumented({ method: init.method ?? 'GET', path: pathname + search, sent, status, headers, text });
  const isJson = /json/.test(headers.get('content-type') ?? '');
  return { status, headers, text, body: isJson ? JSON.parse(text) : {} };
}
