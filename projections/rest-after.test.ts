import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { restAfter } from './rest-after.ts';

describe('the rest of a projector', () => {
  it('PROJ-30 fills a quick chunk up to 20 ms, is twice what a longer one took, and 100 ms at most', () => {
    assert.deepEqual([0, 5, 10, 30, 50, 2_000].map(restAfter), [20, 15, 20, 60, 100, 100]);
  });
});
