// What every twin of the port must do (expiring-sets.ts says it in words).
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'mocha';
import { type ExpiringSets, MAX_MANY } from './expiring-sets.ts';

export type SetsHarness = {
  sets: ExpiringSets;
  /** Another handle on the same sets, as another process would have it. */
  another: ExpiringSets;
  /** Lets that many milliseconds go by for the sets. */
  elapse(ms: number): Promise<void>;
};

/** Declares the suite for one twin. Keys are random, so runs do not meet. */
export function describeExpiringSets(name: string, harness: () => SetsHarness): void {
  describe(`expiring sets ${name}`, () => {
    const freshKey = (): string => `contract:${randomUUID()}`;

    it('tells whether a member was not there before', async () => {
      const { sets } = harness();
      const key = freshKey();
      assert.equal(await sets.add(key, 'ada', 10_000), true);
      assert.equal(await sets.add(key, 'ada', 10_000), false);
      assert.equal(await sets.add(key, 'bob', 10_000), true);
      assert.deepEqual((await sets.members(key)).sort(), ['ada', 'bob']);
    });

    it('tells exactly one of many who add the same member at once that it is new', async () => {
      const { sets, another } = harness();
      const key = freshKey();
      const adds = Array.from({ length: 40 }, (_, index) => (index % 2 ? sets : another).add(key, 'ada', 10_000));
      assert.equal((await Promise.all(adds)).filter((isNew) => isNew).length, 1);
    });

    it('forgets a removed member and tells whether it was there', async () => {
      const { sets, another } = harness();
      const key = freshKey();
      await sets.add(key, 'ada', 10_000);
      assert.equal(await another.remove(key, 'ada'), true);
      assert.equal(await sets.remove(key, 'ada'), false);
      assert.deepEqual(await sets.members(key), []);
      assert.equal(await sets.add(key, 'ada', 10_000), true);
    });

    it('forgets a member that is not added again in time, and no other', async () => {
      const { sets, elapse } = harness();
      const key = freshKey();
      await sets.add(key, 'short', 50);
      await sets.add(key, 'long', 60_000);
      await elapse(80);
      assert.deepEqual(await sets.members(key), ['long']);
      assert.equal(await sets.remove(key, 'short'), false);
      assert.equal(await sets.add(key, 'short', 60_000), true);
    });

    it('keeps a member that is added again in time', async () => {
      const { sets, elapse } = harness();
      const key = freshKey();
      await sets.add(key, 'ada', 50);
      await sets.add(key, 'ada', 60_000);
      await elapse(80);
      assert.deepEqual(await sets.members(key), ['ada']);
    });

    it('adds, renews and removes many in one go', async () => {
      const { sets, another, elapse } = harness();
      const key = freshKey();
      const many = Array.from({ length: MAX_MANY }, (_, index) => `m${index}`);
      await sets.add(key, 'm1', 50);
      await sets.add(key, 'short', 50);
      await sets.addMany(key, many, 60_000);
      assert.equal((await another.members(key)).length, MAX_MANY + 1);
      assert.equal(await sets.add(key, 'm7', 60_000), false);
      await elapse(80);
      assert.deepEqual((await sets.members(key)).sort(), [...many].sort());
      await another.removeMany(key, [...many.slice(2), 'never there']);
      assert.deepEqual((await sets.members(key)).sort(), ['m0', 'm1']);
      await sets.addMany(key, [], 60_000);
      await sets.removeMany(key, []);
      assert.equal((await sets.members(key)).length, 2);
    });

    it('forgets many that are not added again in time', async () => {
      const { sets, elapse } = harness();
      const key = freshKey();
      await sets.addMany(key, ['ada', 'bob'], 50);
      await elapse(80);
      assert.deepEqual(await sets.members(key), []);
    });

    it('keeps the sets of different keys apart, and any text as a member', async () => {
      const { sets } = harness();
      const [one, two] = [freshKey(), freshKey()];
      const member = '["ü\u{1f600}", "a b\\n"]';
      await sets.add(one, member, 10_000);
      assert.deepEqual(await sets.members(two), []);
      assert.deepEqual(await sets.members(one), [member]);
    });
  });
}
