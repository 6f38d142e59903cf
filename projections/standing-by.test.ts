import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { StandingBy } from './standing-by.ts';

const moves = (...partitions: number[]) => new Map(partitions.map((partition) => [partition, { from: 5, to: 8 }]));
const at = (...offsets: [number, number][]) => new Map(offsets);

/** Has 0 and 1, and the first fence of each behind it. */
function contested(): StandingBy {
  const standingBy = new StandingBy();
  standingBy.assign([0, 1]);
  standingBy.fence(moves(0, 1), at([0, 8], [1, 8]), 0);
  return standingBy;
}

describe('standing by', () => {
  it('PROJ-19 concerns only the partitions whose checkpoint was moved', () => {
    const standingBy = contested();
    assert.deepEqual(standingBy.fence(moves(0, 1), at([0, 5], [1, 9]), 10_000), [1]);
    assert.equal(standingBy.includes(0, 10_000), false);
    assert.equal(standingBy.includes(1, 10_000), true);
  });

  it('PROJ-19 lasts from half a second to one and a half', () => {
    const standingBy = contested();
    standingBy.fence(moves(0), at([0, 8]), 10_000);
    const endMs = 10_000 + (standingBy.nextEndMs(10_000) ?? 0);
    assert.ok(endMs >= 10_500 && endMs <= 11_500, `until ${endMs}`);
    assert.equal(standingBy.includes(0, endMs), false);
    assert.equal(standingBy.nextEndMs(endMs), undefined);
  });

  it('PROJ-19 is over in a moment where the partition has just come: that was the last chunk of who had it before', () => {
    const standingBy = contested();
    standingBy.assign([0]);
    standingBy.assign([0, 1]);
    standingBy.fence(moves(1), at([0, 5], [1, 8]), 10_000);
    assert.equal(standingBy.includes(1, 10_075), false);
    standingBy.fence(moves(1), at([0, 5], [1, 8]), 20_000);
    assert.equal(standingBy.includes(1, 20_499), true);
  });

  it('does not hold up what is ours because of one that was lost meanwhile', () => {
    const standingBy = contested();
    standingBy.assign([0]);
    assert.deepEqual(standingBy.fence(moves(0, 1), at([0, 5]), 10_000), []);
    assert.equal(standingBy.includes(0, 10_000), false);
  });

  it('takes all of a chunk for contested where no checkpoint shows who moved it', () => {
    assert.deepEqual(contested().fence(moves(0, 1), at([0, 5], [1, 5]), 10_000), [0, 1]);
  });

  it('ends with the ownership', () => {
    const standingBy = contested();
    standingBy.fence(moves(0, 1), at([0, 8], [1, 8]), 10_000);
    standingBy.assign([1]);
    standingBy.assign([0, 1]);
    assert.equal(standingBy.includes(0, 10_000), false);
    assert.equal(standingBy.includes(1, 10_000), true);
  });
});
