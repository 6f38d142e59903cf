import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { joinBytes } from './join-bytes.ts';

describe('bytes that are joined for a moment', () => {
  it('are all pieces in their order, in memory that nothing else is in', () => {
    const joined = joinBytes([Buffer.from('one'), Buffer.alloc(0), Buffer.from('two')]);
    assert.equal(joined.toString(), 'onetwo');
    assert.equal(joined.buffer.byteLength, 6);
    assert.equal(joinBytes([]).length, 0);
  });
});
