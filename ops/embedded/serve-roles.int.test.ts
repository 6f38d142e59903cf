// A process that runs all roles, by its ports: what is on which, and that they close in order.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import pino from 'pino';
import { freePort } from '../../platform/free-port.ts';
import { Lifecycle } from '../../platform/lifecycle.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { askForEvents, EventStream } from '../../tests/support/event-stream.ts';
import { openRealtimeWorld, type RealtimeWorld } from '../../tests/support/realtime-world.ts';
import { serveRoles } from './serve-roles.ts';

describe('a process that runs all roles', () => {
  let world: RealtimeWorld;

  beforeEach(async () => {
    world = await openRealtimeWorld();
  });

  afterEach(() => world.close());

  it('RT-118 has the streams of events on its REST port too, and ends them before that closes', async () => {
    const logger = pino({ level: 'silent' });
    const lifecycle = new Lifecycle({ log: logger, onFailure: () => process.exit(1) });
    const ports = { http: await freePort(), realtime: await freePort(), projections: await freePort() };
    const metrics = createMetrics();
    const { role: realtime } = await world.openNode();
    await serveRoles({
      ...{ ports, lifecycle, logger, metrics, realtime, frontendUrl: '*', metricsText: () => metrics.metrics() },
      rest: [],
      projections: { name: 'projections', routes: [], ready: {} },
      routes: [],
    });
    const roomId = await world.room('ada');
    const streams = [];
    for (const port of [ports.http, ports.realtime]) {
      const url = `http://127.0.0.1:${port}/api/v1/chatroom/${roomId}/events`;
      streams.push(new EventStream(await askForEvents(url, { authorization: `Bearer ${world.token('ada')}` })));
    }
    for (const one of streams) await one.next(SERVER_FRAMES.recentMessages);
    await lifecycle.stop();
    for (const one of streams) {
      assert.equal((await one.next(SERVER_FRAMES.error)).code, 'draining');
      await one.ended();
    }
  });
});
