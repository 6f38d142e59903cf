// The read API over HTTP as a process has it: real PostgreSQL, both projections running over a log in memory, the hot cache in
// memory. Tests append events and read them.
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openMemoryEventLog } from '../../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../../event-log/memory/memory-store.ts';
import { createTokenVerifier, signToken } from '../../platform/auth.ts';
import { systemClock } from '../../platform/clock.ts';
import { createMemoryExpiringSets, type ExpiringSets } from '../../platform/expiring-sets.ts';
import { closeServer, createHttpApp, listen } from '../../platform/http-app.ts';
import { Lifecycle } from '../../platform/lifecycle.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { createMemoryWrittenPositions, type WrittenPositions } from '../../platform/written-positions.ts';
import { CacheSink } from '../../projections/cache/cache-sink.ts';
import { createMemoryRoomCache } from '../../projections/cache/memory-room-cache.ts';
import { PositionWatch } from '../../projections/cache/position-watch.ts';
import type { RoomCache } from '../../projections/cache/room-cache.ts';
import { decodeWith } from '../../projections/decode-records.ts';
import { createProjectionMetrics } from '../../projections/metrics.ts';
import { Projector } from '../../projections/projector.ts';
import { openReadApiRole, type ReadApiSettings } from '../../read-api/role.ts';
import { positionOf } from '../../schemas/commands.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { REJECTIONS } from '../../schemas/rejections.ts';
import { assertDocumented } from './documented-rest.ts';
import { type HistoryHarness, openHistoryHarness, silent } from './history-harness.ts';

const SECRET = 'a secret of this test alone';

/** A JSON answer. `body` is what a test asks of it. */
export type Answer = { status: number; headers: Headers; body: Record<string, unknown> };

export type ReadApiHarness = {
  history: HistoryHarness;
  cache: RoomCache;
  /** Appends the events to the log; resolves with the position of the last one, before anything has been projected. */
  append(events: readonly ChatEvent[]): string;
  /** Appends, and waits until history and cache have it. */
  project(events: readonly ChatEvent[]): Promise<string>;
  /** Stops the history projection, so that it stays behind the log, or starts it again. */
  pauseHistory(): Promise<void>;
  resumeHistory(): void;
  /** How far the log was written, as the write side would tell. */
  written: WrittenPositions;
  /** What expires, as socket nodes would share it. */
  sets: ExpiringSets;
  get(path: string, caller: Caller | null, headers?: Record<string, string>): Promise<Answer>;
  post(path: string, caller: Caller | null, body: unknown): Promise<Answer>;
  getText(path: string): Promise<{ status: number; text: string }>;
  close(): Promise<void>;
};

export type Caller = { userId: string; isOperator?: boolean };

export async function openReadApiHarness(
  settings: Partial<ReadApiSettings> = {},
  databaseUrl?: string,
  cache: RoomCache = createMemoryRoomCache({ maxRooms: 100, maxMembers: 10_000 }),
): Promise<ReadApiHarness> {
  const history = await openHistoryHarness(databaseUrl);
  const store = new MemoryStore(2);
  const { log } = openMemoryEventLog(store);
  const lifecycle = new Lifecycle({ log: silent, onFailure: () => undefined });
  const written = createMemoryWrittenPositions();
  const sets = createMemoryExpiringSets({ clock: systemClock, maxMembers: 10_000 });
  const metrics = createMetrics();
  const cacheSink = new CacheSink(cache, log);
  const common = { log, decode: decodeWith(history.codec), maxRecords: 100, logger: silent };
  const projectionMetrics = createProjectionMetrics(createMetrics());
  const openHistory = (): Projector =>
    new Projector({ ...common, name: 'history', sink: history.openSink(), metrics: projectionMetrics });
  let historyProjector = openHistory();
  const run = (projector: Projector): void => {
    projector.run().catch((error: unknown) => {
      // Out of the promise, so that it fails the test run instead of only itself.
      setImmediate(() => {
        throw error;
      });
    });
  };
  run(historyProjector);
  lifecycle.add('history', () => historyProjector.stop());
  const cacheProjector = new Projector({ ...common, name: 'cache', sink: cacheSink, metrics: projectionMetrics });
  lifecycle.run('cache', cacheProjector);
  const watch = new PositionWatch(async () => {
    if ((await cacheSink.restore()) === 'setBack') cacheProjector.reload();
  }, silent);
  lifecycle.run('cache positions', watch);
  const role = await openReadApiRole({
    settings: { publicHistory: false, maxRefills: 4, maxWaiting: 100, ...settings },
    lifecycle,
    logger: silent,
    metrics,
    queries: history.queries,
    cache,
    written,
    sets,
    verifier: createTokenVerifier({ secret: SECRET }),
    clock: systemClock,
  });
  const app = createHttpApp({
    role: role.name,
    log: silent,
    metrics,
    problems: REJECTIONS,
    frontendUrl: '*',
    bodyLimitBytes: LIMITS.httpBodyBytes,
    ready: role.ready,
  });
  for (const route of role.routes) app.use(route);
  const server = await listen(app, 0, '127.0.0.1');
  const ask = createAsker(server);

  const append = (events: readonly ChatEvent[]): string => {
    const records = events.map((event) => ({ key: event.metadata.stream, value: history.codec.encode(event) }));
    store.append(0, store.head(0), records);
    return positionOf(0, store.head(0) - 1);
  };
  return {
    history,
    cache,
    written,
    sets,
    append,
    async project(events) {
      const position = append(events);
      const head = store.head(0);
      const isThere = async (): Promise<boolean> =>
        (await checkpointOf(history)) === head && (await cache.positions([0])).get(0) === head;
      while (!(await isThere())) await new Promise((resolve) => setTimeout(resolve, 2));
      return position;
    },
    pauseHistory: () => historyProjector.stop(),
    resumeHistory() {
      historyProjector = openHistory();
      run(historyProjector);
    },
    ...ask,
    async close() {
      await closeServer(server, 0);
      await lifecycle.stop();
      await log.close();
      await history.close();
    },
  };
}

/** Undefined while the projection has not made its tables yet. */
async function checkpointOf({ queries }: HistoryHarness): Promise<number | undefined> {
  try {
    return (await queries.checkpoints()).get(0);
  } catch {
    return undefined;
  }
}

function createAsker(server: Server): Pick<ReadApiHarness, 'get' | 'post' | 'getText'> {
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const authorization = (caller: Caller | null): Record<string, string> =>
    caller === null ? {} : { authorization: `Bearer ${signToken(caller, SECRET, 60)}` };
  const ask = async (path: string, init: RequestInit): Promise<Answer> => {
    const response = await fetch(origin + path, init);
    const { status, headers } = response;
    const text = await response.text();
    const sent: unknown = typeof init.body === 'string' ? JSON.parse(init.body) : undefined;
    assertDocumented({ method: init.method ?? 'GET', path, sent, status, headers, text });
    return { status, headers, body: text === '' ? {} : JSON.parse(text) };
  };
  return {
    get: (path, caller, headers = {}) => ask(path, { headers: { ...authorization(caller), ...headers } }),
    post: (path, caller, body) =>
      ask(path, {
        method: 'POST',
        headers: { ...authorization(caller), 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    async getText(path) {
      const response = await fetch(origin + path);
      return { status: response.status, text: await response.text() };
    },
  };
}
