// Contract: following several partitions for ever, at the speed of who handles the batches.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type EventLog, type LogBatch, type LogRecord, OffsetOutOfRangeError } from '../event-log.ts';
import type { OpenHarness } from '../event-log-contract.ts';
import { collect } from './collect.ts';
import { gate, headsOf, mustAppend, onFreshLog, record, textsOf, until } from './log-probe.ts';

export function describeFollowing(openHarness: OpenHarness): void {
  describe('following', () => {
    describeOrder(openHarness);
    describeBackPressure(openHarness);
    describeEnd(openHarness);
    describeFaults(openHarness);
  });
}

function describeOrder(openHarness: OpenHarness): void {
  it(
    'hands out what is there and what comes, of many partitions, each in order from its own offset',
    onFreshLog(openHarness, 8, async ({ log }) => {
      const starts = await headsOf(log);
      const texts = starts.map((_, partition) => Array.from({ length: 30 }, (_, index) => `${partition}:${index}`));
      await appendToEach(log, starts, texts, 0, 10);
      const collected = collect(log, new Map(starts.map((start, partition) => [partition, start + partition])));
      await appendToEach(log, starts, texts, 10, 30);
      await until('all records are handed out', () =>
        texts.every((wanted, partition) => collected.of(partition).length === wanted.length - partition),
      );
      await collected.stop();
      for (const [partition, wanted] of texts.entries()) {
        assert.deepEqual(textsOf(collected.of(partition)), wanted.slice(partition));
      }
    }),
  );

  it(
    'goes on at nextOffset after a restart, with no gap and no repeat',
    onFreshLog(openHarness, 1, async ({ log, openAnother }) => {
      const start = await log.head(0);
      const writer = await openAnother();
      const wanted = Array.from({ length: 120 }, (_, index) => `record ${index}`);
      const writing = (async () => {
        for (const [index, text] of wanted.entries()) await mustAppend(writer, 0, start + index, [text]);
      })();
      const records: LogRecord[] = [];
      let from = start;
      while (records.length < wanted.length) {
        const collected = collect(log, new Map([[0, from]]));
        const target = Math.min(records.length + 25, wanted.length);
        await until('the follower gets on', () => records.length + collected.of(0).length >= target);
        await collected.stop();
        records.push(...collected.of(0));
        from = collected.nextOffset(0);
      }
      await writing;
      assert.deepEqual(textsOf(records), wanted);
    }),
  );

  it(
    'moves nextOffset past barriers and void records that end the log',
    onFreshLog(openHarness, 1, async ({ log, openAnother }) => {
      const start = await log.head(0);
      const collected = collect(log, new Map([[0, start]]));
      await mustAppend(log, 0, start, ['one']);
      assert.equal((await (await openAnother()).append(0, start, [record('void')])).kind, 'conflict');
      const barrier = await log.barrier(0);
      await until('the barrier is passed', () => collected.nextOffset(0) === barrier + 1);
      await collected.stop();
      assert.deepEqual(textsOf(collected.of(0)), ['one']);
    }),
  );

  it(
    'hands out a record within a second of its append, again and again after idling',
    onFreshLog(openHarness, 2, async ({ log, openAnother }) => {
      const starts = await headsOf(log);
      const collected = collect(log, new Map(starts.entries()));
      const writer = await openAnother();
      for (let index = 0; index < 20; index++) {
        await mustAppend(writer, index % 2, (starts[index % 2] ?? 0) + Math.floor(index / 2), [`record ${index}`]);
        await until(
          `record ${index}`,
          () => collected.of(index % 2).length === Math.floor(index / 2) + 1,
          index ? 1_000 : 10_000,
        );
      }
      await collected.stop();
    }),
  );
}

function describeBackPressure(openHarness: OpenHarness): void {
  it(
    'waits with the next batch of a partition until the last is handled, while other partitions go on',
    onFreshLog(openHarness, 2, async ({ log, openAnother }) => {
      const starts = await headsOf(log);
      const writer = await openAnother();
      const slow = gate();
      const batches: LogBatch[] = [];
      let inHandle = 0;
      const follower = log.follow({
        from: new Map(starts.entries()),
        handle: async (batch) => {
          batches.push(batch);
          if (batch.partition !== 0) return;
          inHandle++;
          assert.equal(inHandle, 1, 'two batches of one partition at a time');
          await slow.opened;
          inHandle--;
        },
      });
      const running = follower.run();
      const seen = (partition: number) => batches.filter((batch) => batch.partition === partition);
      await mustAppend(writer, 0, starts[0] ?? 0, ['first']);
      await until('the slow handler has its batch', () => seen(0).some(({ records }) => records.length > 0));
      const batchesWhenSlow = seen(0).length;
      for (let index = 0; index < 10; index++) {
        await mustAppend(writer, 0, (starts[0] ?? 0) + 1 + index, [`later ${index}`]);
        await mustAppend(writer, 1, (starts[1] ?? 0) + index, [`beside ${index}`]);
        const wanted = index + 1;
        await until('the other partition goes on', () => seen(1).flatMap(({ records }) => records).length === wanted);
      }
      assert.equal(seen(0).length, batchesWhenSlow);
      slow.open();
      await until('the slow partition catches up', () => seen(0).flatMap(({ records }) => records).length === 11);
      await follower.stop();
      await running;
      const texts = textsOf(seen(0).flatMap(({ records }) => records));
      assert.deepEqual(texts, ['first', ...Array.from({ length: 10 }, (_, index) => `later ${index}`)]);
    }),
  );
}

function describeEnd(openHarness: OpenHarness): void {
  it(
    'ends with the error that handle throws',
    onFreshLog(openHarness, 1, async ({ log }) => {
      const start = await log.head(0);
      const broken = new Error('the handler is broken');
      const follower = log.follow({
        from: new Map([[0, start]]),
        handle: (batch) => {
          if (batch.records.length > 0) throw broken;
        },
      });
      const ended = assert.rejects(follower.run(), (error) => error === broken);
      await mustAppend(log, 0, start, ['one']);
      await ended;
      await follower.stop();
    }),
  );

  it(
    'stop lets the batch in hand finish, and nothing is handed out after it',
    onFreshLog(openHarness, 1, async ({ log }) => {
      const start = await log.head(0);
      const slow = gate();
      const handled: string[] = [];
      let entered = 0;
      const follower = log.follow({
        from: new Map([[0, start]]),
        handle: async ({ records }) => {
          if (records.length === 0) return;
          entered++;
          await slow.opened;
          handled.push(...textsOf(records));
        },
      });
      const running = follower.run();
      await mustAppend(log, 0, start, ['one']);
      await until('the batch is in hand', () => entered === 1);
      const stopping = follower.stop();
      await mustAppend(log, 0, start + 1, ['two']);
      slow.open();
      await stopping;
      await running;
      assert.deepEqual(handled, ['one']);
      assert.equal(entered, 1);
    }),
  );

  it(
    'close of the log stops its followers and refuses further work',
    onFreshLog(openHarness, 1, async ({ log, openAnother }) => {
      const start = await log.head(0);
      const closing = await openAnother();
      let batches = 0;
      const follower = closing.follow({
        from: new Map([[0, start]]),
        handle: () => {
          batches++;
        },
      });
      const running = follower.run();
      await mustAppend(closing, 0, start, ['one']);
      await until('the follower runs', () => batches > 0);
      await closing.close();
      await running;
      const before = batches;
      await mustAppend(log, 0, start + 1, ['two']);
      await assert.rejects(closing.append(0, start + 2, [record('three')]), { code: 'log_unavailable' });
      await assert.rejects(closing.head(0), { code: 'log_unavailable' });
      assert.equal(batches, before);
      assert.equal(await log.head(0), start + 2);
    }),
  );
}

function describeFaults(openHarness: OpenHarness): void {
  it(
    'goes on without gap or repeat after its connections were cut, and after the log was away',
    onFreshLog(openHarness, 1, async ({ log, openThroughProxy }) => {
      const { log: far, faults } = await openThroughProxy();
      const start = await log.head(0);
      const collected = collect(far, new Map([[0, start]]));
      const wanted: string[] = [];
      const appendMore = async (what: string) => {
        await mustAppend(log, 0, start + wanted.length, [what]);
        wanted.push(what);
      };
      const arrived = () => until('the follower catches up', () => collected.of(0).length === wanted.length, 15_000);
      await appendMore('before');
      await arrived();
      for (let round = 0; round < 3; round++) {
        faults.cut();
        await appendMore(`after cut ${round}`);
        await arrived();
      }
      await faults.refuse();
      await appendMore('while away');
      await faults.accept();
      await arrived();
      await collected.stop();
      assert.deepEqual(textsOf(collected.of(0)), wanted);
    }),
  );

  it(
    'ends with OffsetOutOfRangeError below the start of the log and beyond its head, having handed out nothing',
    onFreshLog(openHarness, 2, async ({ log, deleteBelow }) => {
      const starts = await headsOf(log);
      const start = starts[0] ?? 0;
      await mustAppend(log, 0, start, ['one', 'two', 'three']);
      await deleteBelow(0, start + 2);
      for (const from of [start, start + 1, start + 4, start + 1_000_000]) {
        const handed: LogRecord[] = [];
        const follower = log.follow({
          from: new Map([
            [0, from],
            [1, starts[1] ?? 0],
          ]),
          handle: ({ records }) => {
            handed.push(...records);
          },
        });
        await assert.rejects(follower.run(), OffsetOutOfRangeError, `from ${from}`);
        await follower.stop();
        assert.deepEqual(handed, [], `from ${from}`);
      }
      const collected = collect(log, new Map([[0, start + 2]]));
      await until('the rest is handed out', () => collected.of(0).length === 1);
      await collected.stop();
    }),
  );
}

async function appendToEach(log: EventLog, starts: number[], texts: string[][], from: number, to: number) {
  await Promise.all(
    starts.map(async (start, partition) => {
      for (let index = from; index < to; index += 5) {
        await mustAppend(log, partition, start + index, (texts[partition] ?? []).slice(index, index + 5));
      }
    }),
  );
}
