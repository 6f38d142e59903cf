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
    await cache.open('lobby', 0);
    await cache.fill({
      roomId: 'lobby',
      partition: 0,
      checkpoint: 5,
      version: 3,
      messages: [],
      hasOlder: false,
      memberIds: [],
    });
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
});
