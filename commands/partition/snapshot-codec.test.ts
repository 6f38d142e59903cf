import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { goldenSnapshot, readGoldenSnapshot } from '../../tests/support/golden-snapshot.ts';
import { parseKey, type SnapshotKey, setIdOf, toKey } from './snapshot-keys.ts';

describe('what snapshots are made of', () => {
  it('SNAP-6 a fixed history gives the bytes it always gave: whoever changes fold, state or encoding raises STATE_VERSION', () => {
    assert.deepEqual(goldenSnapshot(), readGoldenSnapshot());
  });

  it('keys can be read back, whatever a stream is called', () => {
    const set = setIdOf(12, '0199c0de-0000-7000-8000-000000000001');
    for (const stream of ['room-1', 'room-with spaces  and 7 8 marker', 'room-\n😀', 'room-']) {
      const keys: SnapshotKey[] = [
        { set, kind: 'marker' },
        { set, kind: 'room', stream },
        { set, kind: 'piece', stream, version: 7, index: 12 },
        { set, kind: 'segment', number: 3 },
      ];
      for (const key of keys) assert.deepEqual(parseKey(toKey(key)), key);
    }
    for (const foreign of ['', 'marker', 'anything else', `${set} unknown 1`]) assert.equal(parseKey(foreign), null);
  });

  it('set ids compare like their numbers', () => {
    const ids = [1, 2, 9, 10, 99, 100, 123_456].map((number) => setIdOf(number, 'ffff'));
    assert.deepEqual([...ids].sort(), ids);
  });
});
