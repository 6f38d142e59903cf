// Contract: reading bounded ranges, and what the log says about itself.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { type EventLog, OffsetOutOfRangeError } from '../event-log.ts';
import type { OpenHarness } from '../event-log-contract.ts';
import { mustAppend, onFreshLog, readAll, record, textsOf, until } from './log-probe.ts';

export function describeReading(openHarness: OpenHarness): void {
  describe('reading', () => {
    it(
      'gives from any offset to any other exactly what counts between them',
      onFreshLog(openHarness, 1, async ({ log, openAnother }) => {
        const start = await log.head(0);
        await writeWithHoles(log, await openAnother());
        const head = await log.head(0);
        const all = await readAll(log, 0, start);
        assert.equal(all.length, 8 * 5);
        await fc.assert(
          fc.asyncProperty(fc.integer({ min: start, max: head }), fc.nat(head - start), async (from, length) => {
            const to = Math.min(from + length, head);
            const wanted = all.filter(({ offset }) => offset >= from && offset < to);
            assert.deepEqual(await readAll(log, 0, from, to), wanted);
          }),
          { numRuns: 25, examples: [[head, 0]] },
        );
      }),
    );

    it(
      'moves nextOffset past barriers and void records, also where nothing else is left to read',
      onFreshLog(openHarness, 1, async ({ log, openAnother }) => {
        const start = await log.head(0);
        await mustAppend(log, 0, start, ['one']);
        const conflict = await (await openAnother()).append(0, start, [record('void')]);
        assert.equal(conflict.kind, 'conflict');
        const barrier = await log.barrier(0);
        assert.ok(barrier > start);
        const head = await log.head(0);
        assert.equal(head, barrier + 1);
        assert.deepEqual(textsOf(await readAll(log, 0, start, head)), ['one']);
        assert.deepEqual(await readAll(log, 0, start + 1, head), []);
      }),
    );

    it(
      'refuses an offset below the start of the log or beyond its head, and never goes on elsewhere',
      onFreshLog(openHarness, 2, async ({ log, deleteBelow }) => {
        const start = await log.head(0);
        await mustAppend(log, 0, start, ['one', 'two', 'three']);
        await assert.rejects(readAll(log, 0, start + 4, start + 5), OffsetOutOfRangeError);
        await deleteBelow(0, start + 2);
        await assert.rejects(readAll(log, 0, start, start + 3), OffsetOutOfRangeError);
        await assert.rejects(readAll(log, 0, start + 1, start + 3), OffsetOutOfRangeError);
        assert.deepEqual(textsOf(await readAll(log, 0, start + 2)), ['three']);
        const other = await log.head(1);
        await mustAppend(log, 1, other, ['one', 'two']);
        await deleteBelow(1, other + 2);
        await assert.rejects(readAll(log, 1, other, other + 2), OffsetOutOfRangeError);
        assert.deepEqual(await readAll(log, 1, other + 2), []);
      }),
    );

    it(
      'knows the head that another writer has moved',
      onFreshLog(openHarness, 1, async ({ log, openAnother }) => {
        const start = await log.head(0);
        const other = await openAnother();
        await mustAppend(other, 0, start, ['one', 'two']);
        assert.equal(await log.head(0), start + 2);
      }),
    );

    it(
      'finds the first offset appended at or after a time, else the head',
      onFreshLog(openHarness, 1, async ({ log }) => {
        const start = await log.head(0);
        const before = Date.now() - 60_000;
        assert.equal(await log.offsetAt(0, before), start);
        for (let index = 0; index < 4; index++) {
          await mustAppend(log, 0, start + index, [`record ${index}`]);
          const now = Date.now();
          await until('the clock goes on', () => Date.now() > now + 2);
        }
        const records = await readAll(log, 0, start);
        assert.equal(await log.offsetAt(0, before), start);
        for (const { offset, appendedAt } of records) assert.equal(await log.offsetAt(0, appendedAt), offset);
        assert.equal(await log.offsetAt(0, (records.at(-1)?.appendedAt ?? 0) + 60_000), start + 4);
      }),
    );
  });
}

/** Eight groups of five, with a barrier after every second one and a losing writer in between. */
async function writeWithHoles(log: EventLog, loser: EventLog): Promise<void> {
  for (let round = 0; round < 8; round++) {
    const head = await log.head(0);
    await mustAppend(
      log,
      0,
      head,
      Array.from({ length: 5 }, (_, index) => `${round}:${index}`),
    );
    const lost = await loser.append(0, head + 1, [record('void'), record('void')]);
    assert.equal(lost.kind, 'conflict');
    if (round % 2 === 0) await log.barrier(0);
  }
}
