import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { JoinedPieces } from './joined-pieces.ts';

describe('joined pieces', () => {
  it('RT-131 the same pieces are joined once for all sockets that have them waiting one after the other, and others are not taken for them', () => {
    const joined = new JoinedPieces();
    const [one, two, three] = ['one', 'two', 'six'].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];
    const first = joined.of([one, two]);
    assert.equal(first.toString(), 'onetwo');
    assert.equal(joined.of([one, two]), first);
    for (const others of [[two, one], [one, three], [one, Buffer.from('two')], [one, two, three], [one]]) {
      joined.of([one, two]);
      assert.deepEqual(joined.of(others), Buffer.concat(others));
    }
  });
});
