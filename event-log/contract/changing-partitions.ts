// Contract: partitions that a follower begins and ends with while it runs.
import assert, { AssertionError } from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { EventLog, LogRecord } from '../event-log.ts';
import type { OpenHarness } from '../event-log-contract.ts';
import { type Collected, collect } from './collect.ts';
import { gate, headsOf, mustAppend, onFreshLog, textsOf, until } from './log-probe.ts';

export function describeChangingPartitions(openHarness: OpenHarness): void {
  describe('following partitions that come and go', () => {
    describeAdding(openHarness);
    describeRemoving(openHarness);
    describeEdges(openHarness);
    describeUnderLoad(openHarness);
  });
}

function describeAdding(openHarness: OpenHarness): void {
  it(
    'begins with none, and hands out each one that is added from its offset within a second, while the others are idle',
    onFreshLog(openHarness, 6, async ({ log }) => {
      const starts = await headsOf(log);
      for (const [partition, start] of starts.entries()) await mustAppend(log, partition, start, ['0', '1', '2', '3']);
      const collected = collect(log, new Map());
      for (const [partition, start] of starts.entries()) {
        collected.add(partition, start + (partition % 3));
        const wanted = ['0', '1', '2', '3'].slice(partition % 3);
        await until(`partition ${partition}`, () => collected.of(partition).length === wanted.length, 1_000);
        assert.deepEqual(textsOf(collected.of(partition)), wanted);
      }
      for (const [partition, start] of starts.entries()) await mustAppend(log, partition, start + 4, ['4']);
      await until('all go on', () => starts.every((start, partition) => collected.nextOffset(partition) === start + 5));
      await collected.stop();
    }),
  );

  it(
    'several that are added at once all begin',
    onFreshLog(openHarness, 8, async ({ log }) => {
      const starts = await headsOf(log);
      const collected = collect(log, new Map([[0, starts[0] ?? 0]]));
      for (const [partition, start] of starts.entries()) await mustAppend(log, partition, start, ['one', 'two']);
      await until('the first one is handed out', () => collected.of(0).length === 2);
      for (const [partition, start] of starts.entries()) if (partition > 0) collected.add(partition, start);
      await until('all are handed out', () => starts.every((_, partition) => collected.of(partition).length === 2));
      await collected.stop();
    }),
  );

  it(
    'does not wait for a handler that takes its time with another partition',
    onFreshLog(openHarness, 2, async ({ log }) => {
      const [first = 0, second = 0] = await headsOf(log);
      const slow = gate();
      let inHand = 0;
      const collected = collect(log, new Map([[0, first]]), async ({ partition, records }) => {
        if (partition !== 0 || records.length === 0) return;
        inHand++;
        await slow.opened;
      });
      await mustAppend(log, 1, second, ['one']);
      for (let index = 0; index < 5; index++) await mustAppend(log, 0, first + index, [`${index}`]);
      await until('the slow handler has its batch', () => inHand === 1);
      collected.add(1, second);
      await until('the added one is handed out', () => collected.of(1).length === 1);
      assert.equal(inHand, 1);
      slow.open();
      await until('the slow one catches up', () => collected.of(0).length === 5);
      await collected.stop();
    }),
  );
}

function describeRemoving(openHarness: OpenHarness): void {
  it(
    'a removed one is handed out no more once its batch in hand is done, and the others go on',
    onFreshLog(openHarness, 2, async ({ log }) => {
      const starts = await headsOf(log);
      const slow = gate();
      const done: string[] = [];
      const collected = collect(log, new Map(starts.entries()), async ({ partition, records }) => {
        if (partition === 0 && records.length > 0) await slow.opened;
        if (partition === 0) done.push(...textsOf(records));
      });
      await mustAppend(log, 0, starts[0] ?? 0, ['in hand']);
      await until('it is in hand', () => collected.of(0).length === 1);
      let isRemoved = false;
      const removing = collected.remove(0).then(() => {
        isRemoved = true;
      });
      for (let index = 0; index < 5; index++) {
        await mustAppend(log, 0, (starts[0] ?? 0) + 1 + index, ['too late']);
        await mustAppend(log, 1, (starts[1] ?? 0) + index, [`beside ${index}`]);
        await until('the other one goes on', () => collected.of(1).length === index + 1);
      }
      assert.equal(isRemoved, false);
      slow.open();
      await removing;
      assert.deepEqual(done, ['in hand']);
      await mustAppend(log, 1, (starts[1] ?? 0) + 5, ['the end']);
      await until('the other one goes on', () => collected.of(1).length === 6);
      await collected.stop();
      assert.deepEqual(done, ['in hand']);
    }),
  );

  it(
    'one that was removed begins again wherever it is told to',
    onFreshLog(openHarness, 2, async ({ log }) => {
      const [start = 0, other = 0] = await headsOf(log);
      const texts = Array.from({ length: 20 }, (_, index) => `${index}`);
      await mustAppend(log, 0, start, texts);
      const collected = collect(log, new Map([[1, other]]));
      for (const from of [10, 3, 17, 20, 0]) {
        collected.add(0, start + from);
        await until(`all from ${from} on`, () => collected.of(0).length === texts.length - from);
        assert.deepEqual(textsOf(collected.of(0)), texts.slice(from));
        if (from % 2 === 0) {
          await mustAppend(log, 0, start + texts.length, [`${texts.length}`]);
          texts.push(`${texts.length}`);
          await until('what comes then', () => collected.of(0).length === texts.length - from);
        }
        await collected.remove(0);
      }
      await collected.stop();
    }),
  );

  it(
    'removing the last one leaves a follower that waits for another',
    onFreshLog(openHarness, 2, async ({ log }) => {
      const [first = 0, second = 0] = await headsOf(log);
      const collected = collect(log, new Map([[0, first]]));
      await mustAppend(log, 0, first, ['one']);
      await until('it is handed out', () => collected.of(0).length === 1);
      await collected.remove(0);
      await mustAppend(log, 1, second, ['one']);
      collected.add(1, second);
      await until('the other one is handed out', () => collected.of(1).length === 1);
      await collected.remove(1);
      await collected.stop();
    }),
  );
}

function describeEdges(openHarness: OpenHarness): void {
  it(
    'one that is added before run() is followed from the beginning, one that was removed before it is not',
    onFreshLog(openHarness, 3, async ({ log }) => {
      const starts = await headsOf(log);
      for (const [partition, start] of starts.entries()) await mustAppend(log, partition, start, [`of ${partition}`]);
      const records: LogRecord[] = [];
      const follower = log.follow({
        from: new Map([
          [0, starts[0] ?? 0],
          [1, starts[1] ?? 0],
        ]),
        handle: (batch) => {
          records.push(...batch.records);
        },
      });
      follower.add(2, starts[2] ?? 0);
      await follower.remove(0);
      const running = follower.run();
      await until('two are handed out', () => records.length === 2);
      await follower.stop();
      await running;
      assert.deepEqual(textsOf(records).sort(), ['of 1', 'of 2']);
    }),
  );

  it(
    'after stop() adding and removing have no effect',
    onFreshLog(openHarness, 2, async ({ log }) => {
      const [first = 0, second = 0] = await headsOf(log);
      await mustAppend(log, 1, second, ['one']);
      let batches = 0;
      const follower = log.follow({
        from: new Map([[0, first]]),
        handle: () => {
          batches++;
        },
      });
      const running = follower.run();
      await follower.stop();
      follower.add(1, second);
      follower.add(0, first);
      await follower.remove(0);
      await follower.remove(1);
      await running;
      await follower.run();
      assert.equal(batches, 0);
    }),
  );

  it(
    'what is followed cannot be added, what is not cannot be removed',
    onFreshLog(openHarness, 2, async ({ log }) => {
      const starts = await headsOf(log);
      const slow = gate();
      let inHand = 0;
      const collected = collect(log, new Map([[0, starts[0] ?? 0]]), async ({ records }) => {
        inHand += records.length;
        await slow.opened;
      });
      assert.throws(() => collected.add(0, starts[0] ?? 0), AssertionError);
      await assert.rejects(collected.remove(1), AssertionError);
      await mustAppend(log, 0, starts[0] ?? 0, ['one']);
      await until('it is in hand', () => inHand === 1);
      const removing = collected.remove(0);
      assert.throws(() => collected.add(0, starts[0] ?? 0), AssertionError);
      slow.open();
      await removing;
      await assert.rejects(collected.remove(0), AssertionError);
      await collected.stop();
    }),
  );
}

function describeUnderLoad(openHarness: OpenHarness): void {
  it(
    'those that stay have no gap and no repeat while others come and go, also while connections are cut',
    onFreshLog(openHarness, 4, async ({ log, openThroughProxy }) => {
      const starts = await headsOf(log);
      const { log: far, faults } = await openThroughProxy();
      const load = writeUntilStopped(log, starts);
      const collected = collect(far, new Map([[0, starts[0] ?? 0]]));
      for (let round = 0; round < 12; round++) {
        const partition = 1 + (round % 3);
        const from = (starts[partition] ?? 0) + round * 5;
        await until('the log is as long', () => load.written(partition) >= round * 5);
        collected.add(partition, from);
        if (round % 4 === 1) faults.cut();
        await until('the added one gets on', () => collected.of(partition).length >= 20);
        if (round % 4 === 2) faults.cut();
        assertGapless(collected, partition, round * 5);
        // The last of each stays to the end.
        if (round < 9) await collected.remove(partition);
      }
      await load.stop();
      const all = () => starts.every((start, index) => collected.nextOffset(index) === start + load.written(index));
      await until('all catch up', all, 15_000);
      await collected.stop();
      for (const [partition, round] of [0, 9, 10, 11].entries()) {
        const first = partition === 0 ? 0 : round * 5;
        assertGapless(collected, partition, first);
        assert.equal(collected.of(partition).length, load.written(partition) - first);
      }
    }),
  ).timeout(60_000);
}

function assertGapless(collected: Collected, partition: number, first: number): void {
  const texts = textsOf(collected.of(partition));
  assert.deepEqual(
    texts,
    texts.map((_, index) => `${first + index}`),
  );
}

/** Appends numbers to all partitions, from 0 on, the next ones when the last have landed. */
function writeUntilStopped(log: EventLog, starts: readonly number[]) {
  const written = starts.map(() => 0);
  let isStopped = false;
  const writers = starts.map(async (start, partition) => {
    for (let next = 0; !isStopped; next += 3) {
      await mustAppend(log, partition, start + next, [`${next}`, `${next + 1}`, `${next + 2}`]);
      written[partition] = next + 3;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  });
  return {
    written: (partition: number): number => written[partition] ?? 0,
    stop: async () => {
      isStopped = true;
      await Promise.all(writers);
    },
  };
}
