import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'mocha';
import { openCodec } from '../event-log/codec/codec.ts';
import { folderSchemas } from '../event-log/codec/folder-schemas.ts';
import { until } from '../event-log/contract/log-probe.ts';
import { openMemoryEventLog } from '../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../event-log/memory/memory-store.ts';
import { systemClock } from '../platform/clock.ts';
import { type ReadyChecks, runChecks } from '../platform/http-app.ts';
import { Lifecycle } from '../platform/lifecycle.ts';
import { createMetrics, type Metrics } from '../platform/metrics.ts';
import { type Database, openDatabase } from '../platform/postgres.ts';
import { createQueries } from '../read-api/queries/queries.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import { silent } from '../tests/support/history-harness.ts';
import { stackEnv } from '../tests/support/stack-env.ts';
import { createMemoryRoomCache } from './cache/memory-room-cache.ts';
import { openProjectionsRole } from './role.ts';

describe('the projections role', () => {
  // The role's schemas have fixed names, so the test has a database of its own.
  const name = `projections_${randomBytes(6).toString('hex')}`;
  const url = new URL(stackEnv.databaseUrl());
  const store = new MemoryStore(2);
  const cache = createMemoryRoomCache({ maxRooms: 10, maxMembers: 10 });
  let administration: Database;
  let db: Database;

  before(async () => {
    administration = openDatabase({ url: url.href, poolMax: 1, applicationName: name }, silent);
    await administration.raw('create database ??', [name]);
    url.pathname = `/${name}`;
    db = openDatabase({ url: url.href, poolMax: 4, applicationName: name }, silent);
  });

  after(async () => {
    await db.destroy();
    await administration.raw('drop database ?? with (force)', [name]);
    await administration.destroy();
  });

  async function withRole(run: (ready: ReadyChecks, metrics: Metrics) => Promise<void>): Promise<void> {
    const lifecycle = new Lifecycle({ log: silent, onFailure: () => assert.fail('a part failed') });
    const { log: eventLog } = openMemoryEventLog(store);
    const metrics = createMetrics();
    const role = await openProjectionsRole({
      settings: { chunkRecords: 100, maxParkedStreams: 10 },
      lifecycle,
      logger: silent,
      metrics,
      eventLog,
      codec: await openCodec(folderSchemas()),
      db,
      cache,
      openOwnership: null,
      clock: systemClock,
    });
    try {
      await run(role.ready, metrics);
    } finally {
      await lifecycle.stop();
      await eventLog.close();
    }
  }

  const queries = () => createQueries({ db });
  const isAt = (checkpoint: number) => async (): Promise<boolean> => {
    try {
      return (await queries().checkpoints()).get(0) === checkpoint;
    } catch {
      // The tables are not there yet.
      return false;
    }
  };

  it('PROJ-7 PROJ-9 shows parked streams and stays ready, and a restart goes on where it stopped', async () => {
    const codec = await openCodec(folderSchemas());
    const [red, green] = [roomHistory('red'), roomHistory('green')];
    const recordOf = (event: ReturnType<typeof red.next>) => ({
      key: event.metadata.stream,
      value: codec.encode(event),
    });
    store.append(0, 0, [recordOf(red.next('ada', made.room())), recordOf(green.next('ada', made.room()))]);

    await withRole(async (ready, metrics) => {
      await until('history is there', isAt(2));
      assert.deepEqual(await runChecks(ready), {
        'history projection': { ok: true },
        'parked streams': { ok: true },
        'cache projection': { ok: true },
      });
      store.append(0, 2, [
        { key: 'room-red', value: Buffer.from('no event') },
        recordOf(green.next('ada', made.said('x'))),
      ]);
      await until('the poison record is passed', isAt(4));
      assert.deepEqual((await runChecks(ready))['parked streams'], { ok: true, note: 'parked streams: 1' });
      const text = await metrics.metrics();
      assert.match(text, /roomlog_projection_parked_streams\{projection="history"\} 1/);
      assert.match(text, /roomlog_projection_events_total\{projection="history"\} 4/);
      assert.match(text, /roomlog_projection_lag_events\{projection="history"\} 0/);
    });

    store.append(0, 4, [recordOf(green.next('ada', made.said('y'))), recordOf(red.next('ada', made.said('z')))]);
    await withRole(async (ready) => {
      await until('the rest is there', isAt(6));
      assert.deepEqual((await runChecks(ready))['parked streams'], { ok: true, note: 'parked streams: 1' });
      assert.equal((await queries().roomSnapshot('green'))?.version, 3);
      assert.equal((await queries().roomSnapshot('red'))?.version, 1);
    });
  });
});
