import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import { ChunkQueue, type Slice } from './chunk-queue.ts';

function slice(from: number, count: number, partition = 0): Slice {
  const room = roomHistory('lobby');
  const records = Array.from({ length: count }, (_, index) => ({
    partition,
    record: { offset: from + index, key: 'room-lobby', value: Buffer.alloc(0), appendedAt: 0 },
    content: { event: room.next('ada', made.said('x')) },
  }));
  return { partition, from, to: from + count, records };
}

describe('the queue between the log and the writer', () => {
  it('joins what gathers of several partitions into one chunk', async () => {
    const queue = new ChunkQueue(10);
    await queue.push(slice(0, 2));
    await queue.push(slice(7, 1, 1));
    await queue.push(slice(2, 3));
    const chunk = await queue.take();
    assert.deepEqual(
      chunk?.moves,
      new Map([
        [0, { from: 0, to: 5 }],
        [1, { from: 7, to: 8 }],
      ]),
    );
    assert.equal(chunk.records.length, 6);
  });

  it('makes whoever brings more wait while the chunk is full', async () => {
    const queue = new ChunkQueue(2);
    await queue.push(slice(0, 2));
    let isIn = false;
    const pushing = queue.push(slice(2, 2)).then(() => {
      isIn = true;
    });
    await Promise.resolve();
    assert.equal(isIn, false);
    assert.equal((await queue.take())?.records.length, 2);
    await pushing;
    assert.equal((await queue.take())?.records.length, 2);
  });

  it('lets a taker wait for the first slice', async () => {
    const queue = new ChunkQueue(2);
    const taking = queue.take();
    await queue.push(slice(0, 1));
    assert.equal((await taking)?.records.length, 1);
  });

  it('releases everybody when it is closed', async () => {
    const queue = new ChunkQueue(1);
    await queue.push(slice(0, 1));
    const pushing = queue.push(slice(1, 1));
    queue.close();
    await pushing;
    assert.equal(await queue.take(), null);
  });

  it('takes a partition that does not go on where it ended for a bug', async () => {
    const queue = new ChunkQueue(10);
    await queue.push(slice(0, 2));
    await assert.rejects(queue.push(slice(3, 1)), { name: 'AssertionError' });
  });
});
