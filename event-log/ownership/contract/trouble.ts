// Contract: processes that die or freeze, and servers that are away.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { until } from '../../contract/log-probe.ts';
import type { OpenOwnershipHarness } from '../ownership-contract.ts';
import { type Member, mineOf, onFreshGroup, PARTITIONS, SESSION_MS, untilAgreed } from './members.ts';

/** Between the end of a session and everybody having been told, on a busy machine. */
const TELLING_MS = 3_000;

export function describeTrouble(openHarness: OpenOwnershipHarness): void {
  describe('trouble', () => {
    describeLosses(openHarness);
    describeServerAway(openHarness);
  });
}

function describeLosses(openHarness: OpenOwnershipHarness): void {
  it(
    'OWN-15 a process that is killed loses its partitions when its session has run out',
    onFreshGroup(openHarness, async ({ join, spawn }) => {
      const [stays, killed] = [join(), await spawn()];
      await untilAgreed([stays, killed], PARTITIONS);
      const began = performance.now();
      killed.signal('SIGKILL');
      await untilAgreed([stays], PARTITIONS);
      const tookMs = performance.now() - began;
      // Its last sign of life may be a beat old when it dies, and older where the machine is busy.
      assert.ok(tookMs > SESSION_MS * 0.3 && tookMs < SESSION_MS + TELLING_MS, `took ${tookMs} ms`);
    }),
  );

  it(
    'OWN-15 so does one that is cut off, which goes on believing what it was told last',
    onFreshGroup(openHarness, async ({ join, joinThroughProxy }) => {
      const stays = join();
      const { member: far, faults } = await joinThroughProxy();
      await untilAgreed([stays, far], PARTITIONS);
      const toldBefore = far.told.length;
      await faults.refuse();
      await untilAgreed([stays], PARTITIONS);
      assert.equal(far.told.length, toldBefore);
      assert.equal(mineOf(far).length, PARTITIONS / 2);
      await faults.accept();
      await untilAgreed([stays, far], PARTITIONS);
    }),
  );

  it(
    'OWN-16 one that was frozen finds out when it wakes, joins again, and takes nothing back beyond its share',
    onFreshGroup(openHarness, async ({ join, spawn }) => {
      const [first, second, frozen] = [join(), join(), await spawn()];
      await untilAgreed([first, second, frozen], PARTITIONS);
      const believed = mineOf(frozen);
      frozen.signal('SIGSTOP');
      await untilAgreed([first, second], PARTITIONS);
      // Two believe that these are theirs. Nothing can tell one that does not run; the log's own rule decides.
      assert.deepEqual(mineOf(frozen), believed);
      assert.ok(believed.every((partition) => [first, second].some((other) => mineOf(other).includes(partition))));
      const inBetween = [mineOf(first), mineOf(second)];
      frozen.signal('SIGCONT');
      await untilAgreed([first, second, frozen], PARTITIONS, TELLING_MS);
      for (const [index, member] of [first, second].entries()) {
        assert.ok(mineOf(member).every((partition) => inBetween[index]?.includes(partition)));
      }
    }),
  );
}

function describeServerAway(openHarness: OpenOwnershipHarness): void {
  it(
    'OWN-17 a broken connection is made anew, and nobody loses anything by it',
    onFreshGroup(openHarness, async ({ join, joinThroughProxy }) => {
      const near = join();
      const { member: far, faults } = await joinThroughProxy();
      await untilAgreed([near, far], PARTITIONS);
      const before = [mineOf(near), mineOf(far)];
      faults.cut();
      await until('it is connected again', () => faults.connections() > 0);
      await staysAgreed([near, far]);
      assert.deepEqual([mineOf(near), mineOf(far)], before);
    }),
  );

  it(
    'OWN-17 while the server is away what was assigned last holds, and afterwards all goes on by itself',
    onFreshGroup(openHarness, async ({ joinThroughProxy }) => {
      const { member: alone, faults } = await joinThroughProxy();
      await untilAgreed([alone], PARTITIONS);
      await faults.refuse();
      await new Promise((resolve) => setTimeout(resolve, 2 * SESSION_MS));
      assert.equal(alone.told.length, 1);
      await faults.accept();
      await until('it is connected again', () => faults.connections() > 0);
      await alone.ownership.handOver(100);
      assert.equal(mineOf(alone).length, PARTITIONS);
    }),
  );

  it(
    'OWN-17 a server that takes everything and answers nothing is given up in time',
    onFreshGroup(openHarness, async ({ join, joinThroughProxy }) => {
      const near = join();
      const { member: far, faults } = await joinThroughProxy();
      await untilAgreed([near, far], PARTITIONS);
      faults.swallowAnswers();
      const goes = join();
      // Everybody has to be told of this one, also the one whose connection is dead.
      await untilAgreed([near, far, goes], PARTITIONS, 15_000);
    }),
  );

  it(
    'OWN-17 joining while the server is away waits for it',
    onFreshGroup(openHarness, async ({ join, joinThroughProxy }) => {
      const { member: first, faults } = await joinThroughProxy();
      await faults.refuse();
      const near = join();
      await until('the other has all', () => mineOf(near).length === PARTITIONS);
      await faults.accept();
      await untilAgreed([first, near], PARTITIONS);
    }),
  );
}

/** Two more beats, in which a loss would show. */
async function staysAgreed(members: readonly Member[]): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, SESSION_MS / 2));
  await untilAgreed(members, PARTITIONS);
}
