import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { addressesOf, type Shares, type SharingMember, sharePartitions } from './share-partitions.ts';

const IDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

/** Members with any claims: overlapping, stale, repeated, of partitions that there are not. */
function arbitraryMembers(most: number, partitions: number, flags = fc.boolean()): fc.Arbitrary<SharingMember[]> {
  const member = fc.record({
    id: fc.constantFrom(...IDS.slice(0, most)),
    address: fc.constantFrom('http://one', 'http://two', ''),
    owned: fc.array(fc.integer({ min: -1, max: partitions }), { maxLength: partitions + 2 }),
    generation: fc.nat({ max: 3 }),
    isLeaving: flags,
  });
  return fc.uniqueArray(member, { minLength: 1, maxLength: most, selector: ({ id }) => id });
}

/** A group that has shared already: what each has is what it was given. */
function settled(partitions: number, ids: readonly string[], generation = 1): SharingMember[] {
  const fresh = ids.map((id) => ({ id, address: id, owned: [], generation: 0, isLeaving: false }));
  return afterSharing(fresh, sharePartitions(partitions, fresh), generation);
}

function afterSharing(members: readonly SharingMember[], shares: Shares, generation: number): SharingMember[] {
  return members.map((member) => ({ ...member, owned: shares.get(member.id) ?? [], generation }));
}

const someone = (id: string): SharingMember => ({ id, address: id, owned: [], generation: 0, isLeaving: false });
const staysIn = (members: readonly SharingMember[]) => members.filter(({ isLeaving }) => !isLeaving);

/** Of each partition, the member whose claim counts. */
function rightfulOwners(partitions: number, members: readonly SharingMember[]): (string | undefined)[] {
  return Array.from({ length: partitions }, (_, partition) => {
    const claims = members.filter(({ owned }) => owned.includes(partition));
    const latest = Math.max(...claims.map(({ generation }) => generation));
    return claims.filter(({ generation }) => generation === latest).sort((a, b) => (a.id < b.id ? -1 : 1))[0]?.id;
  });
}

function ownersOf(partitions: number, shares: Shares): (string | undefined)[] {
  return Array.from({ length: partitions }, (_, partition) => {
    const owners = [...shares].filter(([, share]) => share.includes(partition)).map(([id]) => id);
    assert.ok(owners.length <= 1, `partition ${partition} has ${owners.length} owners`);
    return owners[0];
  });
}

function keptIn(before: readonly (string | undefined)[], after: readonly (string | undefined)[]): number {
  return before.filter((owner, partition) => owner !== undefined && owner === after[partition]).length;
}

/** The most partitions that any balanced sharing leaves where they are, found by trying all of them. */
function mostThatCanBeKept(before: readonly (string | undefined)[], staying: readonly string[]): number {
  const least = Math.floor(before.length / staying.length);
  const most = Math.ceil(before.length / staying.length);
  const sizes = new Map(staying.map((id) => [id, 0]));
  const tryFrom = (partition: number): number => {
    if (partition === before.length) return [...sizes.values()].every((size) => size >= least) ? 0 : -Infinity;
    let best = -Infinity;
    for (const id of staying) {
      const size = sizes.get(id) ?? 0;
      if (size === most) continue;
      sizes.set(id, size + 1);
      best = Math.max(best, (before[partition] === id ? 1 : 0) + tryFrom(partition + 1));
      sizes.set(id, size);
    }
    return best;
  };
  return tryFrom(0);
}

describe('laws of sharing partitions', () => {
  it('OWN-1 every partition has exactly one owner as long as somebody stays, and shares differ by one at most', () => {
    fc.assert(
      fc.property(fc.nat({ max: 40 }), arbitraryMembers(8, 40), (partitions, members) => {
        const shares = sharePartitions(partitions, members);
        const staying = staysIn(members);
        assert.deepEqual([...shares.keys()].sort(), members.map(({ id }) => id).sort());
        if (staying.length === 0) return;
        assert.deepEqual(
          [...shares.values()].flat().sort((a, b) => a - b),
          [...Array(partitions).keys()],
        );
        const sizes = staying.map(({ id }) => shares.get(id)?.length ?? 0);
        assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `sizes ${sizes}`);
      }),
    );
  });

  it('OWN-2 one that is leaving gets nothing as long as somebody stays', () => {
    fc.assert(
      fc.property(fc.nat({ max: 20 }), arbitraryMembers(6, 20), (partitions, members) => {
        const shares = sharePartitions(partitions, members);
        if (staysIn(members).length === 0) return;
        for (const { id, isLeaving } of members) if (isLeaving) assert.deepEqual(shares.get(id), []);
      }),
    );
  });

  it('OWN-3 where all are leaving, each keeps what is rightly its own, and what nobody has stays so', () => {
    fc.assert(
      fc.property(fc.nat({ max: 20 }), arbitraryMembers(6, 20, fc.constant(true)), (partitions, members) => {
        const owners = ownersOf(partitions, sharePartitions(partitions, members));
        assert.deepEqual(owners, rightfulOwners(partitions, members));
      }),
    );
  });

  it('OWN-4 no balanced sharing leaves more partitions with those who rightly have them', () => {
    fc.assert(
      fc.property(fc.nat({ max: 6 }), arbitraryMembers(4, 6), (partitions, members) => {
        const staying = staysIn(members).map(({ id }) => id);
        if (staying.length === 0) return;
        const before = rightfulOwners(partitions, members);
        const after = ownersOf(partitions, sharePartitions(partitions, members));
        assert.equal(keptIn(before, after), mostThatCanBeKept(before, staying));
      }),
    );
  });

  it('OWN-4 one that joins is given just its share, and nothing moves among the others', () => {
    fc.assert(
      fc.property(fc.nat({ max: 60 }), fc.integer({ min: 1, max: 7 }), (partitions, count) => {
        const before = settled(partitions, IDS.slice(0, count));
        const shares = sharePartitions(partitions, [...before, someone('newcomer')]);
        const given = shares.get('newcomer') ?? [];
        assert.equal(given.length, Math.floor(partitions / (count + 1)));
        for (const { id, owned } of before) {
          assert.deepEqual(
            shares.get(id),
            owned.filter((partition) => !given.includes(partition)),
          );
        }
      }),
    );
  });

  it('OWN-4 when one goes, only its partitions move', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 60 }),
        fc.integer({ min: 2, max: 8 }),
        fc.nat(),
        fc.boolean(),
        (partitions, count, which, isGraceful) => {
          const before = settled(partitions, IDS.slice(0, count));
          const goes = IDS[which % count];
          const after = isGraceful
            ? before.map((member) => ({ ...member, isLeaving: member.id === goes }))
            : before.filter(({ id }) => id !== goes);
          const shares = sharePartitions(partitions, after);
          for (const { id, owned } of before) {
            const share = shares.get(id) ?? [];
            if (id !== goes) assert.ok(owned.every((partition) => share.includes(partition)));
          }
        },
      ),
    );
  });

  it('OWN-5 of two that say they have a partition, the one that was given it last has it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 6 }), (partitions, count) => {
        // All were taken over from the one that was away, which still claims what it had.
        const others = settled(partitions, IDS.slice(0, count), 2);
        const awoken = { ...someone('0-awoken'), owned: [...Array(partitions).keys()], generation: 1 };
        const withIt = sharePartitions(partitions, [...others, awoken]);
        const withNewcomer = sharePartitions(partitions, [...others, { ...awoken, owned: [], generation: 0 }]);
        assert.deepEqual(withIt, withNewcomer);
      }),
    );
  });

  it('OWN-6 is the same whatever the order of the members, and sharing again changes nothing', () => {
    const shuffledTwice = fc
      .tuple(fc.nat({ max: 20 }), arbitraryMembers(6, 20))
      .chain(([partitions, members]) =>
        fc.tuple(
          fc.constant(partitions),
          fc.constant(members),
          fc.shuffledSubarray(members, { minLength: members.length }),
        ),
      );
    fc.assert(
      fc.property(shuffledTwice, ([partitions, members, shuffled]) => {
        const shares = sharePartitions(partitions, members);
        assert.deepEqual(sharePartitions(partitions, shuffled), shares);
        assert.deepEqual(sharePartitions(partitions, afterSharing(members, shares, 9)), shares);
      }),
    );
  });

  it('tells of every owned partition the address of its owner', () => {
    fc.assert(
      fc.property(fc.nat({ max: 20 }), arbitraryMembers(6, 20), (partitions, members) => {
        const shares = sharePartitions(partitions, members);
        const addresses = addressesOf(shares, members);
        const owners = ownersOf(partitions, shares);
        const addressOf = new Map(members.map(({ id, address }) => [id, address]));
        const wanted = owners.flatMap((id, partition) => (id === undefined ? [] : [[partition, addressOf.get(id)]]));
        assert.deepEqual([...addresses], wanted);
      }),
    );
  });
});
