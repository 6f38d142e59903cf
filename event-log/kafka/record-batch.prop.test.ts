import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { NewRecord } from '../event-log.ts';
import { LogCorruptError } from './batch-format.ts';
import { crc32c } from './crc32c.ts';
import { decodeBatches, encodeAppend, encodeBarrier, inspectBatches } from './record-batch.ts';

/** What a broker does to a batch: gives it its offset and time. The checksum does not cover the offset, but it does the time. */
function landed(batch: Buffer, baseOffset: number, appendedAt = 1_700_000_000_000): Buffer {
  const copy = Buffer.from(batch);
  copy.writeBigInt64BE(BigInt(baseOffset), 0);
  copy.writeBigInt64BE(BigInt(appendedAt), 35);
  copy.writeUInt32BE(crc32c(copy, 21, copy.length), 17);
  return copy;
}

const newRecord: fc.Arbitrary<NewRecord> = fc.record({
  key: fc.string({ unit: 'grapheme', maxLength: 30 }),
  value: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});
const newRecords = fc.array(newRecord, { minLength: 1, maxLength: 20 });
const offset = fc.oneof(fc.nat(1_000), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 1_000 }));

describe('record batches', () => {
  it('LAW: what lands where it was predicted is read as it was written', () => {
    fc.assert(
      fc.property(newRecords, offset, (records, at) => {
        const bytes = landed(encodeAppend(records, at, 0), at);
        const decoded = decodeBatches(bytes, 0, bytes.length, at);
        assert.equal(decoded.nextOffset, at + records.length);
        assert.deepEqual(
          decoded.records.map((record) => ({ ...record, value: record.value.toString('hex') })),
          records.map(({ key, value }, index) => ({
            offset: at + index,
            key: key.toWellFormed(),
            value: value.toString('hex'),
            appendedAt: 1_700_000_000_000,
          })),
        );
      }),
    );
  });

  it('LAW: what lands anywhere else is void, all of it, and is passed', () => {
    fc.assert(
      fc.property(newRecords, offset, offset, (records, predicted, actual) => {
        fc.pre(predicted !== actual);
        const bytes = landed(encodeAppend(records, predicted, 0), actual);
        assert.deepEqual(decodeBatches(bytes, 0, bytes.length, actual), {
          records: [],
          nextOffset: actual + records.length,
        });
      }),
    );
  });

  it('LAW: inspecting shows what counts as decoding gives it, and of what is void the offset that it predicted', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(newRecords, fc.boolean()), { minLength: 1, maxLength: 5 }), (batches) => {
        let head = 0;
        const parts = batches.map(([records, isVoid]) => {
          const bytes = landed(encodeAppend(records, isVoid ? head + 7 : head, 0), head);
          head += records.length;
          return bytes;
        });
        parts.push(landed(encodeBarrier('nonce', 0), head));
        const bytes = Buffer.concat(parts);
        const { records, nextOffset } = inspectBatches(bytes, 0, bytes.length, 0);
        assert.equal(nextOffset, head + 1);
        assert.deepEqual(
          records.flatMap(({ is, ...record }) => (is === 'event' ? [record] : [])),
          decodeBatches(bytes, 0, bytes.length, 0).records,
        );
        for (const record of records)
          if (record.is === 'void') assert.deepEqual(record.predicted, [String(record.offset + 7)]);
        const wanted = batches.flatMap(([group, isVoid]) => group.map(() => (isVoid ? 'void' : 'event')));
        assert.deepEqual(
          records.map(({ is }) => is),
          [...wanted, 'barrier'],
        );
      }),
    );
  });

  it('LAW: from any offset on, exactly the records at and behind it are read; a cut-off last batch is left', () => {
    fc.assert(
      fc.property(fc.array(newRecords, { minLength: 1, maxLength: 5 }), fc.nat(), fc.nat(), (groups, skip, cut) => {
        let at = 100;
        const batches = groups.map((records) => {
          const bytes = landed(encodeAppend(records, at, 0), at);
          at += records.length;
          return bytes;
        });
        const last = batches.at(-1)?.subarray(0, cut % (batches.at(-1)?.length ?? 1)) ?? Buffer.alloc(0);
        const bytes = Buffer.concat([...batches.slice(0, -1), last]);
        const wholeEnd = at - (groups.at(-1)?.length ?? 0);
        const from = 100 + (skip % (wholeEnd - 100 + 1));
        const decoded = decodeBatches(bytes, 0, bytes.length, from);
        assert.equal(decoded.nextOffset, wholeEnd);
        assert.deepEqual(
          decoded.records.map((record) => record.offset),
          Array.from({ length: wholeEnd - from }, (_, index) => from + index),
        );
      }),
    );
  });

  it('LAW: one wrong bit anywhere in a batch is found, never read', () => {
    const batch = landed(encodeAppend([{ key: 'room-1', value: Buffer.from('hello') }], 5, 0), 5);
    fc.assert(
      fc.property(fc.integer({ min: 16, max: batch.length - 1 }), fc.nat(7), (at, bit) => {
        const broken = Buffer.from(batch);
        broken.writeUInt8((broken[at] ?? 0) ^ (1 << bit), at);
        assert.throws(() => decodeBatches(broken, 0, broken.length, 5), LogCorruptError);
      }),
    );
  });

  it('a barrier is void wherever it lands', () => {
    const bytes = landed(encodeBarrier('0198b2d0-0000-4000-8000-000000000000', 0), 7);
    assert.deepEqual(decodeBatches(bytes, 0, bytes.length, 7), { records: [], nextOffset: 8 });
  });

  it('an append of no records is a bug of the caller', () => {
    assert.throws(() => encodeAppend([], 0, 0), { code: 'ERR_ASSERTION' });
  });

  it('a compressed batch is refused, because not every reader could read it', () => {
    const bytes = Buffer.from(encodeAppend([{ key: 'k', value: Buffer.from('v') }], 0, 0));
    bytes.writeInt16BE(1, 21);
    assert.throws(() => decodeBatches(landed(bytes, 0), 0, bytes.length, 0), /compressed/);
  });
});
