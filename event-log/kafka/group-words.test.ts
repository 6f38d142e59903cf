import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type Claim, decodeAssignment, encodeClaim, shareOut } from './group-words.ts';

const TOPIC = 'a-topic';
const GROUP = { topic: TOPIC, partitions: 4, generation: 5 };

function joined(memberId: string, claim: Partial<Claim> = {}) {
  const words = { address: `http://${memberId}`, owned: [], generation: 0, isLeaving: false, ...claim };
  return { memberId, metadata: encodeClaim(TOPIC, words) };
}

function sharedOut(...members: ReturnType<typeof joined>[]) {
  return new Map(
    shareOut(GROUP, members).map(({ memberId, assignment }) => [memberId, decodeAssignment(TOPIC, assignment)]),
  );
}

describe('what the members of a Kafka group tell each other', () => {
  it('OWN-8 every member reads from the leader’s answer what it has, and where everybody is', () => {
    const assignments = sharedOut(joined('a', { owned: [3], generation: 4 }), joined('b', { address: '' }));
    const addressByPartition = new Map([
      [0, 'http://a'],
      [1, ''],
      [2, ''],
      [3, 'http://a'],
    ]);
    assert.deepEqual(assignments.get('a'), { mine: [0, 3], addressByPartition });
    assert.deepEqual(assignments.get('b'), { mine: [1, 2], addressByPartition });
  });

  it('OWN-5 a claim as new as the sharing under way is from before the group began anew, and counts nothing', () => {
    const assignments = sharedOut(
      joined('a', { owned: [0, 1], generation: 4 }),
      joined('b', { owned: [0, 1, 2, 3], generation: 5 }),
    );
    assert.deepEqual(assignments.get('a')?.mine, [0, 1]);
  });

  it('one whose words cannot be read is given nothing', () => {
    const assignments = sharedOut(joined('a'), { memberId: 'b', metadata: Buffer.from('no words of ours') });
    assert.deepEqual(assignments.get('a')?.mine, [0, 1, 2, 3]);
    assert.deepEqual(assignments.get('b')?.mine, []);
  });

  it('a partition that nobody has, has no address', () => {
    const assignments = sharedOut(joined('a', { owned: [1], generation: 4, isLeaving: true }));
    assert.deepEqual(assignments.get('a'), { mine: [1], addressByPartition: new Map([[1, 'http://a']]) });
  });

  it('an assignment of another form is refused', () => {
    assert.throws(() => decodeAssignment(TOPIC, Buffer.alloc(0)));
    assert.throws(() => decodeAssignment(TOPIC, Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x7b, 0x7d])));
  });
});
