import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { createMemoryRoomCache } from './memory-room-cache.ts';
import type { RoomCache } from './room-cache.ts';
import { describeRoomCache } from './room-cache-contract.ts';

describeRoomCache('in memory', () => createMemoryRoomCache({ maxRooms: 100, maxMembers: 1_000 }));

describe('the bounds of the room cache in memory', () => {
  async function bringIn(cache: RoomCache, roomId: string, memberIds: string[] = []): Promise<void> {
    await cache.start(new Map([[0, 0]]));
    await cache.open(roomId, 0);
    const room = { roomId, partition: 0, checkpoint: 0, version: 1, messages: [], hasOlder: false, memberIds };
    assert.equal(await cache.fill(room), true);
  }

  it('PROJ-15 drops the room that was not read for longest', async () => {
    const cache = createMemoryRoomCache({ maxRooms: 2, maxMembers: 10 });
    await bringIn(cache, 'red');
    await bringIn(cache, 'green');
    await cache.newest('red', 1);
    await bringIn(cache, 'blue');
    assert.equal(await cache.newest('green', 1), null);
    assert.ok(await cache.newest('red', 1));
    assert.ok(await cache.newest('blue', 1));
  });

  it('PROJ-15 bounds the members of all rooms together', async () => {
    const cache = createMemoryRoomCache({ maxRooms: 10, maxMembers: 3 });
    await bringIn(cache, 'red', ['ada', 'bob']);
    await bringIn(cache, 'green', ['ada', 'cy']);
    assert.equal(await cache.newest('red', 1), null);
    assert.equal(await cache.isMember('green', 'cy'), true);
  });

  it('keeps a room with too many members without them', async () => {
    const cache = createMemoryRoomCache({ maxRooms: 10, maxMembers: 1 });
    await bringIn(cache, 'red', ['ada', 'bob']);
    assert.ok(await cache.newest('red', 1));
    assert.equal(await cache.isMember('red', 'ada'), null);
  });
});
