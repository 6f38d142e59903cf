// Contract: handing over and leaving. Long sessions, so that nothing here can come from a session that has run out.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { until } from '../../contract/log-probe.ts';
import type { OpenOwnershipHarness } from '../ownership-contract.ts';
import { type Member, mineOf, onFreshGroup, PARTITIONS, untilAgreed } from './members.ts';

const LONG_SESSION_MS = 10_000;
/** Long before the session has run out: what is promised, twice over for a busy machine. */
const AT_ONCE_MS = 2_000;
const ENOUGH_MS = 8_000;

export function describeGoing(openHarness: OpenOwnershipHarness): void {
  describe('going', () => {
    it(
      'OWN-11 handing over: told nothing is its own any more, while the others are told all and where it is',
      onFreshGroup(openHarness, async ({ join }) => {
        const [goes, ...stay] = Array.from({ length: 3 }, () => join({ sessionMs: LONG_SESSION_MS }));
        assert.ok(goes);
        await untilAgreed([goes, ...stay], PARTITIONS);
        const began = performance.now();
        await goes.ownership.handOver(ENOUGH_MS);
        assert.deepEqual(mineOf(goes), []);
        await untilAgreed(stay, PARTITIONS);
        assert.ok(performance.now() - began < AT_ONCE_MS, `took ${performance.now() - began} ms`);
        assertKnows(goes, stay);
        await goes.ownership.stop();
        await goes.running;
      }),
    );

    it(
      'OWN-11 one that has handed over still hears who has what, and gets nothing when another joins or goes',
      onFreshGroup(openHarness, async ({ join }) => {
        const [goes, stays] = [join({ sessionMs: LONG_SESSION_MS }), join({ sessionMs: LONG_SESSION_MS })];
        await untilAgreed([goes, stays], PARTITIONS);
        await goes.ownership.handOver(ENOUGH_MS);
        const comes = join({ sessionMs: LONG_SESSION_MS });
        await untilAgreed([stays, comes], PARTITIONS);
        await until('it knows of who came', () => knows(goes, [stays, comes]));
        await stays.ownership.stop();
        await untilAgreed([comes], PARTITIONS);
        await until('it knows of who went', () => knows(goes, [comes]));
        assert.deepEqual(mineOf(goes), []);
      }),
    );

    it(
      'OWN-12 where nobody else stays handing over is done at once, and the partitions remain where they are',
      onFreshGroup(openHarness, async ({ join }) => {
        const members = [join({ sessionMs: LONG_SESSION_MS }), join({ sessionMs: LONG_SESSION_MS })];
        await untilAgreed(members, PARTITIONS);
        const began = performance.now();
        await Promise.all(members.map(({ ownership }) => ownership.handOver(ENOUGH_MS)));
        assert.ok(performance.now() - began < ENOUGH_MS / 2, `took ${performance.now() - began} ms`);
        // One may have been quicker than the other, which then had all and was left with them.
        await until('all partitions are somebody’s', () => members.flatMap(mineOf).length === PARTITIONS);
        const comes = join({ sessionMs: LONG_SESSION_MS });
        await until('who comes has all', () => mineOf(comes).length === PARTITIONS);
        await until('the others have none', () => members.every((member) => mineOf(member).length === 0));
      }),
    );

    it(
      'OWN-13 who stops without handing over is replaced at once, not only when its session has run out',
      onFreshGroup(openHarness, async ({ join }) => {
        const [goes, ...stay] = Array.from({ length: 3 }, () => join({ sessionMs: LONG_SESSION_MS }));
        assert.ok(goes);
        await untilAgreed([goes, ...stay], PARTITIONS);
        const began = performance.now();
        await goes.ownership.stop();
        await untilAgreed(stay, PARTITIONS);
        assert.ok(performance.now() - began < AT_ONCE_MS, `took ${performance.now() - began} ms`);
      }),
    );

    it(
      'OWN-13 all may leave at the same moment, and the next one has everything',
      onFreshGroup(openHarness, async ({ join }) => {
        const members = Array.from({ length: 3 }, () => join({ sessionMs: LONG_SESSION_MS }));
        await untilAgreed(members, PARTITIONS);
        await Promise.all(members.map(({ ownership }) => ownership.stop()));
        await Promise.all(members.map(({ running }) => running));
        const next = join({ sessionMs: LONG_SESSION_MS });
        await untilAgreed([next], PARTITIONS, AT_ONCE_MS * 2);
      }),
    );

    it(
      'OWN-14 stopping ends run(), also in the middle of joining, and nothing is told after it',
      onFreshGroup(openHarness, async ({ join }) => {
        const early = join();
        const began = performance.now();
        await early.ownership.stop();
        await early.running;
        assert.ok(performance.now() - began < AT_ONCE_MS + 2_000, `took ${performance.now() - began} ms`);
        const told = early.told.length;
        const other = join();
        await untilAgreed([other], PARTITIONS);
        await early.ownership.stop();
        await early.ownership.handOver(ENOUGH_MS);
        assert.equal(early.told.length, told);
      }),
    );
  });
}

function assertKnows(member: Member, owners: readonly Member[]): void {
  assert.ok(
    knows(member, owners),
    `it was told ${JSON.stringify([...(member.told.at(-1)?.addressByPartition ?? [])])}`,
  );
}

function knows(member: Member, owners: readonly Member[]): boolean {
  const addresses = member.told.at(-1)?.addressByPartition;
  return owners.every((owner) => mineOf(owner).every((partition) => addresses?.get(partition) === owner.address));
}
