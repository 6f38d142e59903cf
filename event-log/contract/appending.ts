// Contract: what an append does, alone and against another writer.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { OpenHarness } from '../event-log-contract.ts';
import { mustAppend, onFreshLog, readAll, record, textsOf } from './log-probe.ts';

export function describeAppending(openHarness: OpenHarness): void {
  describe('appending', () => {
    it(
      'gives the records of a partition dense offsets in the order they were appended',
      onFreshLog(openHarness, 1, async ({ log }) => {
        const start = await log.head(0);
        const texts: string[] = [];
        for (const size of [1, 3, 1, 50, 200, 1]) {
          const group = Array.from({ length: size }, (_, index) => `${size}:${index}`);
          await mustAppend(log, 0, start + texts.length, group);
          texts.push(...group);
        }
        const records = await readAll(log, 0, start);
        assert.deepEqual(textsOf(records), texts);
        assert.deepEqual(
          records.map(({ offset }) => offset),
          texts.map((_, index) => start + index),
        );
        assert.equal(await log.head(0), start + texts.length);
      }),
    );

    it(
      'keeps partitions apart',
      onFreshLog(openHarness, 3, async ({ log }) => {
        assert.equal(log.partitions, 3);
        const starts = await Promise.all([0, 1, 2].map((partition) => log.head(partition)));
        await Promise.all(starts.map((start, partition) => mustAppend(log, partition, start, [`in ${partition}`])));
        for (const [partition, start] of starts.entries()) {
          assert.deepEqual(textsOf(await readAll(log, partition, start)), [`in ${partition}`]);
        }
      }),
    );

    it(
      'gives back keys and values byte for byte',
      onFreshLog(openHarness, 1, async ({ log }) => {
        let next = await log.head(0);
        const key = fc.string({ unit: 'grapheme', maxLength: 60 }).filter((text) => !text.includes('\0'));
        const value = fc.uint8Array({ maxLength: 3_000 });
        await fc.assert(
          fc.asyncProperty(fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 8 }), async (pairs) => {
            const records = pairs.map(([recordKey, bytes]) => ({ key: recordKey, value: Buffer.from(bytes) }));
            const result = await log.append(0, next, records);
            assert.equal(result.kind, 'appended');
            const read = await readAll(log, 0, next);
            next += records.length;
            assert.deepEqual(
              read.map((one) => ({ key: one.key, value: one.value.toString('hex') })),
              records.map((one) => ({ key: one.key, value: one.value.toString('hex') })),
            );
          }),
          { numRuns: 40 },
        );
      }),
    );

    it(
      'takes one record of a megabyte and a group of half a megabyte',
      onFreshLog(openHarness, 1, async ({ log }) => {
        const start = await log.head(0);
        const large = Buffer.alloc(900_000, 7);
        await log.append(0, start, [{ key: 'room-large', value: large }]);
        await mustAppend(log, 0, start + 1, new Array(500).fill('x'.repeat(1_000)));
        const records = await readAll(log, 0, start);
        assert.equal(records.length, 501);
        assert.ok(records[0]?.value.equals(large));
      }),
    );

    for (const [where, distance] of [
      ['behind the head', -1],
      ['beyond the head', 2],
    ] as const) {
      it(
        `${where}: conflicts, none of the records counts, and the head it tells is where to go on`,
        onFreshLog(openHarness, 1, async ({ log, openAnother }) => {
          const start = await log.head(0);
          await mustAppend(log, 0, start, ['one', 'two', 'three']);
          const other = await openAnother();
          const wrong = start + 3 + distance;
          const result = await other.append(0, wrong, [record('no'), record('no'), record('no')]);
          assert.ok(result.kind === 'conflict');
          assert.ok(result.head >= start + 3);
          await mustAppend(other, 0, result.head, ['four']);
          assert.deepEqual(textsOf(await readAll(log, 0, start)), ['one', 'two', 'three', 'four']);
        }),
      );
    }
  });
}
