// Contract: looking at all that lies in a partition, what does not count too.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { type EventLog, type InspectedRecord, OffsetOutOfRangeError } from '../event-log.ts';
import type { OpenHarness } from '../event-log-contract.ts';
import { mustAppend, onFreshLog, readAll, record } from './log-probe.ts';

export function describeInspecting(openHarness: OpenHarness): void {
  describe('inspecting', () => {
    it(
      'shows every offset: what counts as reading gives it, barriers as barriers, and the rest as void',
      onFreshLog(openHarness, 1, async ({ log, openAnother }) => {
        const loser = await openAnother();
        const start = await log.head(0);
        const barriers: number[] = [];
        for (let round = 0; round < 3; round++) {
          await mustAppend(log, 0, await log.head(0), ['one', 'two']);
          assert.equal((await loser.append(0, start, [record('void'), record('void')])).kind, 'conflict');
          barriers.push(await log.barrier(0));
        }
        const all = await inspectAll(log, start, await log.head(0));
        const events = all.flatMap(({ is, ...found }) => (is === 'event' ? [found] : []));
        assert.deepEqual(events, await readAll(log, 0, start));
        assert.deepEqual(offsetsOf(all, 'barrier'), barriers);
        assert.ok(all.every(({ is, value }) => (value === null) === (is === 'barrier')));
        for (const found of all) if (found.is === 'void') assert.equal(found.predicted.length, 1);
      }),
    );

    it(
      'shows of any range what an inspection of the whole shows there',
      onFreshLog(openHarness, 1, async ({ log }) => {
        const start = await log.head(0);
        for (let round = 0; round < 6; round++) {
          await mustAppend(log, 0, await log.head(0), [`${round} a`, `${round} b`, `${round} c`]);
          await log.barrier(0);
        }
        const head = await log.head(0);
        const all = await inspectAll(log, start, head);
        await fc.assert(
          fc.asyncProperty(fc.integer({ min: start, max: head }), fc.nat(head - start), async (from, length) => {
            const to = Math.min(from + length, head);
            assert.deepEqual(await inspectAll(log, from, to), all.slice(from - start, to - start));
          }),
          { numRuns: 20, examples: [[head, 0]] },
        );
      }),
    );

    it(
      'refuses an offset below the start of the log or beyond its head',
      onFreshLog(openHarness, 1, async ({ log, deleteBelow }) => {
        const start = await log.head(0);
        await mustAppend(log, 0, start, ['one', 'two', 'three']);
        await assert.rejects(inspectAll(log, start + 4, start + 5), OffsetOutOfRangeError);
        await deleteBelow(0, start + 2);
        await assert.rejects(inspectAll(log, start, start + 3), OffsetOutOfRangeError);
        assert.equal((await inspectAll(log, start + 2, start + 3)).length, 1);
      }),
    );
  });
}

/** All of [from, to), having checked that no offset is missing. */
async function inspectAll(log: EventLog, from: number, to: number): Promise<InspectedRecord[]> {
  const records: InspectedRecord[] = [];
  for await (const batch of log.inspect(0, from, to)) {
    records.push(...batch.records);
    assert.equal(batch.nextOffset, from + records.length);
    assert.ok(batch.head >= batch.nextOffset);
  }
  assert.deepEqual(
    records.map(({ offset }) => offset),
    Array.from({ length: to - from }, (_, index) => from + index),
  );
  return records;
}

function offsetsOf(records: readonly InspectedRecord[], kind: InspectedRecord['is']): number[] {
  return records.filter(({ is }) => is === kind).map(({ offset }) => offset);
}
