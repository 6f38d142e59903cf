import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { uuidv7Ids } from './ids.ts';

describe('UUIDv7 ids', () => {
  it('are of the documented form, never the same twice, and in the order of their milliseconds', () => {
    const before = Date.now();
    const ids = Array.from({ length: 5_000 }, () => uuidv7Ids.next());
    const after = Date.now();
    assert.equal(new Set(ids).size, ids.length);
    let last = before;
    for (const id of ids) {
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      const ms = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
      assert.ok(ms >= last && ms <= after);
      last = ms;
    }
  });
});
