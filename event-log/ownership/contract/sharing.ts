// Contract: who is told what while everybody is well.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { until } from '../../contract/log-probe.ts';
import type { OpenOwnershipHarness } from '../ownership-contract.ts';
import { mineOf, movedBetween, onFreshGroup, PARTITIONS, untilAgreed } from './members.ts';

export function describeSharing(openHarness: OpenOwnershipHarness): void {
  describe('sharing', () => {
    it(
      'OWN-7 one that is alone is told all partitions, once',
      onFreshGroup(openHarness, async ({ join }) => {
        const alone = join({ address: 'http://alone' });
        await untilAgreed([alone], PARTITIONS);
        assert.deepEqual(mineOf(alone), [...Array(PARTITIONS).keys()]);
        assert.equal(alone.told.length, 1);
      }),
    );

    it(
      'OWN-8 several share evenly, each partition is one’s, and all are told the same addresses',
      onFreshGroup(openHarness, async ({ join }) => {
        await untilAgreed([join(), join(), join()], PARTITIONS);
      }),
    );

    it(
      'OWN-8 a partition whose owner nobody has to reach has the empty address',
      onFreshGroup(openHarness, async ({ join }) => {
        const members = [join({ address: '' }), join({ address: '' })];
        await untilAgreed(members, PARTITIONS);
      }),
    );

    it(
      'OWN-9 who joins takes over as many as are due to it, and nothing else moves',
      onFreshGroup(openHarness, async ({ join }) => {
        const members = [join()];
        for (const due of [4, 2, 2]) {
          await untilAgreed(members, PARTITIONS);
          const before = members.map(mineOf);
          members.push(join());
          await untilAgreed(members, PARTITIONS);
          assert.equal(movedBetween(before, members), due);
        }
      }),
    );

    it(
      'OWN-9 of more members than partitions some have none, and know where the owners are',
      onFreshGroup(openHarness, async ({ join }) => {
        const members = Array.from({ length: 4 }, () => join({ partitions: 2 }));
        await untilAgreed(members, 2);
        assert.deepEqual(members.map((member) => mineOf(member).length).sort(), [0, 0, 1, 1]);
      }),
    );

    it(
      'OWN-10 roles do not disturb each other',
      onFreshGroup(openHarness, async ({ join }) => {
        const commands = [join({ role: 'commands' }), join({ role: 'commands' })];
        await untilAgreed(commands, PARTITIONS);
        const toldBefore = commands.map(({ told }) => told.length);
        const projections = [join({ role: 'projections' }), join({ role: 'projections' })];
        await untilAgreed(projections, PARTITIONS);
        const [goes, stays] = projections;
        assert.ok(goes && stays);
        await goes.ownership.stop();
        await until('the other has all', () => mineOf(stays).length === PARTITIONS);
        assert.deepEqual(
          commands.map(({ told }) => told.length),
          toldBefore,
        );
      }),
    );
  });
}
