import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import type { EventLog } from '../../event-log/event-log.ts';
import { openMemoryEventLog } from '../../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../../event-log/memory/memory-store.ts';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import type { Chunk } from '../sink.ts';
import { CacheSink } from './cache-sink.ts';
import { createMemoryRoomCache } from './memory-room-cache.ts';
import type { RoomCache } from './room-cache.ts';

describe('the room cache as a sink', () => {
  let store: MemoryStore;
  let log: EventLog;
  let cache: RoomCache;
  let sink: CacheSink;

  beforeEach(() => {
    store = new MemoryStore(2);
    ({ log } = openMemoryEventLog(store));
    store.append(0, 0, [{ key: 'room-lobby', value: Buffer.from('x') }]);
    cache = createMemoryRoomCache({ maxRooms: 10, maxMembers: 10 });
    sink = new CacheSink(cache, log);
  });

  const chunk = (from: number): Chunk => {
    const record = { offset: from, key: 'room-lobby', value: Buffer.alloc(0), appendedAt: 0 };
    const event = roomHistory('lobby').next('ada', made.room());
    return { records: [{ partition: 0, record, content: { event } }], moves: new Map([[0, { from, to: from + 1 }]]) };
  };

  /** Takes the room in from a snapshot at that checkpoint. */
  async function bringIn(checkpoint: number): Promise<void> {
    const room = {
      roomId: 'lobby',
      partition: 0,
      checkpoint,
      version: 3,
      messages: [],
      hasOlder: false,
      memberIds: [],
    };
    await cache.open('lobby', 0);
    assert.equal(await cache.fill(room), true);
  }

  it('begins at the head of the log where the cache has no positions', async () => {
    assert.deepEqual(
      await sink.load([0, 1]),
      new Map([
        [0, 1],
        [1, 0],
      ]),
    );
  });

  it('goes on from the positions that the cache has', async () => {
    await cache.start(
      new Map([
        [0, 0],
        [1, 0],
      ]),
    );
    assert.deepEqual(
      await sink.load([0, 1]),
      new Map([
        [0, 0],
        [1, 0],
      ]),
    );
  });

  it('believes nothing of a cache whose positions lie beyond the log', async () => {
    await cache.start(new Map([[0, 5]]));
    await bringIn(5);
    assert.deepEqual(
      await sink.load([0, 1]),
      new Map([
        [0, 1],
        [1, 0],
      ]),
    );
    assert.equal(await cache.newest('lobby', 1), null);
  });

  it('PROJ-14 is fenced by an emptied cache and begins again at the head', async () => {
    await sink.load([0, 1]);
    await cache.clear();
    assert.equal(await sink.write(chunk(1)), 'fenced');
    assert.deepEqual(
      await sink.load([0, 1]),
      new Map([
        [0, 1],
        [1, 0],
      ]),
    );
    assert.equal(await sink.write(chunk(1)), 'written');
  });

  it('PROJ-14 gives an emptied cache its positions back while the log is quiet', async () => {
    await sink.load([0, 1]);
    await sink.write(chunk(1));
    await cache.clear();
    await sink.restore();
    assert.deepEqual(
      await cache.positions([0, 1]),
      new Map([
        [0, 2],
        [1, 0],
      ]),
    );
    assert.equal(await sink.write(chunk(2)), 'written');
  });

  it('PROJ-22 loads the positions of its own partitions, and of none asks nobody', async () => {
    assert.deepEqual(await sink.load([1]), new Map([[1, 0]]));
    assert.deepEqual(await cache.positions([0, 1]), new Map([[1, 0]]));
    assert.deepEqual(await sink.load([]), new Map());
    await sink.restore();
    assert.deepEqual(await cache.positions([0, 1]), new Map([[1, 0]]));
  });

  it('PROJ-22 takes nothing from another process when it gains a partition', async () => {
    const other = new CacheSink(cache, log);
    await other.load([0, 1]);
    await bringIn(1);
    await other.write(chunk(1));
    store.append(0, 1, [{ key: 'room-lobby', value: Buffer.from('x') }]);
    await sink.load([1]);
    assert.notEqual(await cache.newest('lobby', 1), null);
    // And gains the other one while its owner, who knows nothing of it yet, moves on with the head of the log.
    const moving: Pick<EventLog, 'head'> = {
      head: async (partition) => {
        const head = await log.head(partition);
        store.append(0, 2, [{ key: 'room-lobby', value: Buffer.from('x') }]);
        assert.equal(await other.write(chunk(2)), 'written');
        return head;
      },
    };
    assert.deepEqual(await new CacheSink(cache, moving).load([0]), new Map([[0, 3]]));
    assert.notEqual(await cache.newest('lobby', 1), null);
  });

  it('PROJ-22 an emptied cache gets all positions back when each process gives those of its own partitions', async () => {
    const other = new CacheSink(cache, log);
    await sink.load([0]);
    await other.load([1]);
    await sink.write(chunk(1));
    await cache.clear();
    await other.restore();
    assert.deepEqual(await cache.positions([0, 1]), new Map([[1, 0]]));
    await sink.restore();
    assert.deepEqual(
      await cache.positions([0, 1]),
      new Map([
        [0, 2],
        [1, 0],
      ]),
    );
    assert.equal(await sink.write(chunk(2)), 'written');
  });

  it('PROJ-22 an emptied cache is right whoever gives a position first, also who has lost the partition', async () => {
    const late = new CacheSink(cache, log);
    await late.load([0]);
    await sink.load([0]);
    await sink.write(chunk(1));
    await cache.clear();
    await late.restore();
    assert.equal(await sink.restore(), 'setBack');
    assert.deepEqual(await sink.load([0]), new Map([[0, 1]]));
    assert.equal(await sink.write(chunk(1)), 'written');
  });

  it('PROJ-22 notices a cache that has come back as it was before', async () => {
    await sink.load([0, 1]);
    await sink.write(chunk(1));
    assert.equal(await sink.restore(), 'whole');
    await cache.clear();
    await cache.start(
      new Map([
        [0, 1],
        [1, 0],
      ]),
    );
    assert.equal(await sink.restore(), 'setBack');
  });
});
