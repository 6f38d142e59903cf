import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { murmur2, partitionOf } from './partition-of.ts';

/** Printed by Java's own org.apache.kafka.common.utils.Utils (kafka-clients 4.1.1): the hash, and the partition of 16. */
const JAVA_VECTORS: [string, number, number][] = [
  ['', 275646681, 9],
  ['a', -1563381124, 12],
  ['ab', 316155434, 10],
  ['abc', 479470107, 11],
  ['abcd', -1323649548, 4],
  ['21', -973932308, 12],
  ['foobar', -790332482, 14],
  ['a-little-bit-long-string', -985981536, 0],
  ['a-little-bit-longer-string', -1486304829, 3],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971, 13],
  ['room-0190b5c0-1111-7aaa-8bbb-0123456789ab', -1719691078, 10],
  ['room-ubuntu', -677538700, 4],
  ['room-Grüße aus Köln', -2147002378, 6],
  ['room-日本語', -1760271216, 0],
  ['room-😀', -215475635, 13],
  ['user-é', 1663779011, 3],
];

describe('the partition of a stream', () => {
  for (const [stream, hash, partition] of JAVA_VECTORS) {
    it(`is for ${JSON.stringify(stream)} the one that Java's Kafka client chooses`, () => {
      assert.equal(murmur2(Buffer.from(stream)), hash);
      assert.equal(partitionOf(stream, 16), partition);
    });
  }

  it('lies within the partitions there are, and is always the same', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 1_000 }), (stream, partitions) => {
        const partition = partitionOf(stream, partitions);
        assert.ok(Number.isInteger(partition) && partition >= 0 && partition < partitions);
        assert.equal(partitionOf(stream, partitions), partition);
      }),
    );
  });
});
