import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { createMemoryExpiringSets, ExpiringSetsUnavailableError } from './expiring-sets.ts';
import { describeExpiringSets } from './expiring-sets-contract.ts';

function heldClock(): { now(): number; pass(ms: number): void } {
  let now = 1_000_000;
  return {
    now: () => now,
    pass: (ms) => {
      now += ms;
    },
  };
}

describeExpiringSets('in memory', () => {
  const clock = heldClock();
  const sets = createMemoryExpiringSets({ clock, maxMembers: 1_000 });
  return { sets, another: sets, elapse: async (ms) => clock.pass(ms) };
});

describe('expiring sets in memory: their bound', () => {
  it('refuse a new member when full, take it once others have expired, and always renew a known one', async () => {
    const clock = heldClock();
    const sets = createMemoryExpiringSets({ clock, maxMembers: 2 });
    await sets.add('one', 'ada', 100);
    await sets.add('two', 'bob', 5_000);
    await assert.rejects(sets.add('two', 'cleo', 100), ExpiringSetsUnavailableError);
    assert.equal(await sets.add('two', 'bob', 5_000), false);
    clock.pass(200);
    assert.equal(await sets.add('two', 'cleo', 100), true);
    assert.deepEqual(await sets.members('two'), ['bob', 'cleo']);
  });
});
