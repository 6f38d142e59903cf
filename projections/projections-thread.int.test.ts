import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { createFreshDatabase, type FreshDatabase } from '../tests/support/fresh-database.ts';
import { stackEnv } from '../tests/support/stack-env.ts';
import { ProjectionsThread, type ThreadSettings } from './projections-thread.ts';

describe('the projections in a thread', () => {
  let database: FreshDatabase;

  before(async () => {
    database = await createFreshDatabase(stackEnv.databaseUrl(), 'thread');
  });

  after(() => database.drop());

  function settings(databaseUrl: string): ThreadSettings {
    return {
      eventLog: { kind: 'postgres', databaseUrl, partitions: 2, ownerSessionMs: 6_000 },
      databaseUrl,
      redis: null,
      logTopic: 'thread',
      sharesPartitions: true,
      projections: { chunkRecords: 100, maxParkedStreams: 10, takeover: 'caught-up' },
      logLevel: 'silent',
      logTo: 'stderr',
    };
  }

  it('PROJ-16 are ready and measured like those of the process, and end when they are stopped', async () => {
    const thread = new ProjectionsThread(settings(database.url));
    const role = await thread.open();
    const running = thread.run();
    const isReady = role.ready['history projection'];
    assert.ok(isReady);
    await until(async () => isReady());
    const metrics = await thread.metrics();
    assert.ok(metrics.some(({ name }) => name === 'roomlog_projection_lag_events'));
    await thread.stop();
    await running;
  });

  it('PROJ-16 say why they cannot come up, and that ends the process', async () => {
    const nowhere = new URL(database.url);
    nowhere.port = '1';
    const thread = new ProjectionsThread(settings(nowhere.href));
    await assert.rejects(thread.open());
    await assert.rejects(thread.run());
    await thread.stop();
  });
});

/** The projector loads its checkpoints after it has come up. */
async function until(check: () => Promise<unknown>): Promise<void> {
  for (let failure: unknown; ; ) {
    try {
      await check();
      return;
    } catch (error) {
      if (String(error) !== String(failure)) failure = error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
