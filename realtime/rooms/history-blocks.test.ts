import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, it } from 'mocha';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { MemoryHistory } from '../../tests/support/memory-history.ts';
import { type BlockBounds, HistoryBlocks } from './history-blocks.ts';
import type { RoomChange } from './room-source.ts';

const BOUNDS: BlockBounds = {
  blockEvents: 10,
  blockCacheBytes: 1_000_000,
  blockKeepMs: 60_000,
  blockReads: 2,
  blocksWaiting: 4,
};

describe('blocks of history', () => {
  const history = { current: new MemoryHistory() };
  let now: number;

  beforeEach(() => {
    now = 0;
    history.current = new MemoryHistory();
    for (const roomId of ['a', 'b']) say(roomId, 100);
  });

  function say(roomId: string, count: number): void {
    const room = roomHistory(roomId);
    for (let version = 1; version <= count; version++)
      history.current.project(0, version, room.next('ada', version === 1 ? made.room() : made.said(`m${version}`)));
  }

  function open(bounds: Partial<BlockBounds> = {}): HistoryBlocks {
    return new HistoryBlocks({ source: history.current, now: () => now, bounds: { ...BOUNDS, ...bounds } });
  }

  /** A source that answers when it is told to. */
  function openSlow(bounds: Partial<BlockBounds> = {}) {
    const reads: { roomId: string; after: number; answer: () => void; fail: () => void }[] = [];
    const source = {
      eventsAfter: async (roomId: string, after: number, limit: number): Promise<readonly RoomChange[]> => {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        reads.push({ roomId, after, answer: resolve, fail: () => reject(new Error('history is away')) });
        await promise;
        return history.current.eventsAfter(roomId, after, limit);
      },
    };
    return { reads, blocks: new HistoryBlocks({ source, now: () => now, bounds: { ...BOUNDS, ...bounds } }) };
  }

  it('RT-42 a block is read once, however many want it at the same time or later, and at whatever version', async () => {
    const blocks = open();
    const wanted = Array.from({ length: 500 }, (_, index) => blocks.after('a', 40 + (index % 10)));
    const given = await Promise.all(wanted);
    assert.ok(given.every((block) => block === given[0]));
    assert.deepEqual([given[0]?.after, given[0]?.upTo], [40, 50]);
    assert.equal(await blocks.after('a', 49), given[0]);
    assert.equal(history.current.asked.eventsAfter, 1);
    await blocks.after('b', 40);
    await blocks.after('a', 50);
    assert.equal(history.current.asked.eventsAfter, 3);
  });

  it('RT-42 a block that ends early is read again by who wants more, and not there until history has it', async () => {
    say('c', 14);
    const blocks = open();
    assert.equal((await blocks.after('c', 10))?.upTo, 14);
    assert.equal(await blocks.after('c', 14), null);
    assert.equal(await blocks.after('c', 14), null);
    const room = roomHistory('c');
    for (let version = 1; version <= 17; version++) {
      const event = room.next('ada', made.said(`m${version}`));
      if (version > 14) history.current.project(0, version, event);
    }
    assert.equal((await blocks.after('c', 14))?.upTo, 17);
    assert.equal(history.current.asked.eventsAfter, 4);
    assert.equal((await blocks.after('c', 11))?.upTo, 17);
    assert.equal(history.current.asked.eventsAfter, 4);
  });

  it('RT-42 keeps no more bytes than it may, and those that were wanted last', async () => {
    const size = (await open().after('a', 10))?.bytes ?? 0;
    const blocks = open({ blockCacheBytes: Math.floor(3.5 * size) });
    for (const version of [10, 20, 30]) await blocks.after('a', version);
    await blocks.after('a', 10);
    await blocks.after('a', 40);
    assert.ok(blocks.bytes <= 3.5 * size && blocks.bytes >= 2.5 * size);
    history.current.asked.eventsAfter = 0;
    for (const version of [10, 30, 40]) await blocks.after('a', version);
    assert.equal(history.current.asked.eventsAfter, 0);
    await blocks.after('a', 20);
    assert.equal(history.current.asked.eventsAfter, 1);
  });

  it('RT-42 forgets what nobody wants any more', async () => {
    const blocks = open();
    await blocks.after('a', 10);
    now = BOUNDS.blockKeepMs / 2;
    await blocks.after('a', 20);
    now = BOUNDS.blockKeepMs;
    blocks.tick();
    const kept = blocks.bytes;
    assert.ok(kept > 0);
    await blocks.after('a', 20);
    now = 1.5 * BOUNDS.blockKeepMs;
    blocks.tick();
    assert.equal(blocks.bytes, kept);
    now = 2 * BOUNDS.blockKeepMs;
    blocks.tick();
    assert.equal(blocks.bytes, 0);
  });

  it('RT-43 reads a few at a time, the others in their order, and refuses more than may wait', async () => {
    const { reads, blocks } = openSlow();
    const wanted = [0, 10, 20, 30, 40, 50].map((version) => blocks.after('a', version));
    await assert.rejects(blocks.after('a', 60), { code: 'busy' });
    assert.deepEqual(
      reads.map(({ after }) => after),
      [0, 10],
    );
    // Who shares a read that is under way or waits does not wait in a place of its own.
    wanted.push(blocks.after('a', 55));
    for (let at = 0; at < reads.length; at++) {
      assert.ok(reads.length - at <= BOUNDS.blockReads);
      reads[at]?.answer();
      await turn();
    }
    assert.deepEqual(
      reads.map(({ after }) => after),
      [0, 10, 20, 30, 40, 50],
    );
    assert.deepEqual(
      (await Promise.all(wanted)).map((block) => block?.upTo),
      [10, 20, 30, 40, 50, 60, 60],
    );
  });

  it("RT-43 a read that fails is told to all who shared it, kept by nobody, and takes nobody else's turn", async () => {
    const { reads, blocks } = openSlow({ blockReads: 1 });
    const failing = Promise.allSettled([blocks.after('a', 0), blocks.after('a', 5)]);
    const behind = blocks.after('a', 10);
    await turn();
    reads[0]?.fail();
    assert.deepEqual(
      (await failing).map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    await turn();
    reads[1]?.answer();
    assert.equal((await behind)?.upTo, 20);
    const again = blocks.after('a', 0);
    await turn();
    reads[2]?.answer();
    assert.equal((await again)?.upTo, 10);
  });
});
