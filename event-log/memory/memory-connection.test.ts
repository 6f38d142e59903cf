import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { MemoryConnection } from './memory-connection.ts';

const TIMEOUT_MS = 10;

describe('memory connection', () => {
  it('a process that was held up for longer than the time-out loses nothing that is on its way', async () => {
    const connection = new MemoryConnection({ timeoutMs: TIMEOUT_MS, latencyMs: 0, seed: 1 });
    const asked = Array.from({ length: 20 }, (_, index) => connection.ask('write', () => index));
    const heldUpUntil = performance.now() + 3 * TIMEOUT_MS;
    while (performance.now() < heldUpUntil);
    assert.deepEqual(
      await Promise.all(asked),
      asked.map((_, index) => index),
    );
  });

  it('what was swallowed is given up after the time-out, and the next connection is whole', async () => {
    const connection = new MemoryConnection({ timeoutMs: TIMEOUT_MS, latencyMs: 0, seed: 1 });
    connection.faults.swallowAnswers();
    await assert.rejects(
      connection.ask('write', () => 1),
      /no answer within 10 ms/,
    );
    assert.equal(await connection.ask('read', () => 2), 2);
  });
});
