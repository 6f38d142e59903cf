import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { toLagEvents, toPositions } from './standing.ts';

const at = (...offsets: [number, number][]) => new Map(offsets);

describe('how far behind an answer is', () => {
  it('READ-17 names the last offset that it has of each partition, in their order, and none that has not begun', () => {
    const standing = { nextOffsets: at([2, 10], [0, 1], [1, 0]), written: at() };
    assert.equal(toPositions(standing), '0-0,2-9');
    assert.equal(toPositions({ nextOffsets: at([0, 0]), written: at() }), null);
  });

  it('READ-17 names no positions where they are too many for a header', () => {
    const many = new Map(Array.from({ length: 257 }, (_, partition) => [partition, 5]));
    assert.equal(toPositions({ nextOffsets: many, written: at() }), null);
  });

  it('READ-18 counts what was acknowledged and is not in it, over all partitions that are known', () => {
    const nextOffsets = at([0, 5], [1, 5], [2, 5]);
    assert.equal(toLagEvents({ nextOffsets, written: at([0, 4], [1, 7], [9, 99]) }), 3);
    assert.equal(toLagEvents({ nextOffsets, written: at([0, 2]) }), 0, 'what came since counts for nothing');
    assert.equal(toLagEvents({ nextOffsets, written: at() }), null);
  });
});
