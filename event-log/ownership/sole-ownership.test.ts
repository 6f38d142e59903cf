import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Assignment } from './ownership.ts';
import { soleOwnership } from './sole-ownership.ts';

function alone() {
  const told: Assignment[] = [];
  const ownership = soleOwnership({
    role: 'commands',
    partitions: 3,
    address: 'http://here',
    sessionMs: 1_000,
    onAssigned: (assignment) => told.push(assignment),
  });
  return { ownership, told };
}

describe('the ownership of a process that is alone by design', () => {
  it('OWN-7 has all partitions, told once before anything is waited for', async () => {
    const { ownership, told } = alone();
    const running = ownership.run();
    const addressByPartition = new Map([0, 1, 2].map((partition) => [partition, 'http://here']));
    assert.deepEqual(told, [{ mine: [0, 1, 2], addressByPartition }]);
    await ownership.stop();
    await running;
    assert.equal(told.length, 1);
  });

  it('OWN-12 hands over to nobody at once, and keeps what it has', async () => {
    const { ownership, told } = alone();
    const running = ownership.run();
    await ownership.handOver(60_000);
    assert.equal(told.length, 1);
    await ownership.stop();
    await running;
  });

  it('OWN-14 is told nothing when it was stopped before it ran', async () => {
    const { ownership, told } = alone();
    await ownership.stop();
    await ownership.run();
    assert.deepEqual(told, []);
  });
});
