import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { assertGuardedVersion, quietIdleQueues } from './kafkajs-guards.ts';

/** Counts how often kafkajs' own method is reached behind the guard. */
function queue(pending: unknown[]) {
  const fake = {
    pending,
    scheduled: 0,
    scheduleCheckPendingRequests: () => {
      fake.scheduled++;
    },
  };
  return fake;
}

describe('guards of kafkajs', () => {
  it('refuse another version, whose internals nobody has read', () => {
    assertGuardedVersion('2.2.4');
    assert.throws(() => assertGuardedVersion('2.2.5'), /kafkajs 2\.2\.5 is installed/);
  });

  it('refuse a queue without the method they put right', () => {
    const other = { pending: [] };
    assert.throws(() => quietIdleQueues(other as unknown as ReturnType<typeof queue>), /scheduleCheckPendingRequests/);
  });

  it('arm no timer while nothing waits, and the usual one as soon as something does', () => {
    const idle = queue([]);
    quietIdleQueues(idle);
    idle.scheduleCheckPendingRequests();
    assert.equal(idle.scheduled, 0);
    idle.pending.push('a request that has to wait');
    idle.scheduleCheckPendingRequests();
    assert.equal(idle.scheduled, 1);
  });
});
