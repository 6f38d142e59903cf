// What every twin of the hot cache must do (room-cache.ts says it in words).
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { beforeEach, describe, it } from 'mocha';
import { LIMITS } from '../../schemas/limits.ts';
import type { MessageView } from '../../schemas/wire.ts';
import { MAX_KEPT_RUNS, type MemberChange, type RoomCache, type RoomFill, type RoomRun } from './room-cache.ts';

const PARTITION = 3;

/** Declares the suite for one twin; `openCache` gives an empty cache with no positions. */
export function describeRoomCache(name: string, openCache: () => RoomCache): void {
  describe(`the room cache ${name}`, () => {
    let cache: RoomCache;
    let roomId: string;
    let position: number;

    beforeEach(async () => {
      cache = openCache();
      roomId = `room ${randomUUID()}`;
      position = 10;
      await cache.start(new Map([[PARTITION, position]]));
    });

    async function apply(...runs: RoomRun[]): Promise<void> {
      const moves = new Map([[PARTITION, { from: position, to: position + 1 }]]);
      position += 1;
      assert.equal(await cache.apply({ moves, dropped: [], runs }), 'written');
    }

    function fillOf(version: number, fill: Partial<RoomFill> = {}): RoomFill {
      const messages = [messageOf(roomId, version)];
      const room = { roomId, partition: PARTITION, checkpoint: position, version, messages };
      return { ...room, hasOlder: false, memberIds: ['ada'], ...fill };
    }

    /** Brings the room in at a version, with one message of that version. */
    async function bringIn(version: number, fill: Partial<RoomFill> = {}): Promise<void> {
      assert.equal(await cache.open(roomId, PARTITION), position);
      assert.equal(await cache.fill(fillOf(version, fill)), true);
    }

    async function versions(limit: number = LIMITS.cachedMessages): Promise<number[] | null> {
      return (await cache.newest(roomId, limit))?.messages.map(({ version }) => version) ?? null;
    }

    const run = (first: number, last: number, changes: Partial<RoomRun> = {}): RoomRun => ({
      ...runOf(roomId, first, last),
      ...changes,
    });

    it('knows nothing of a room that nobody brought in', async () => {
      assert.equal(await cache.newest(roomId, 10), null);
      assert.equal(await cache.isMember(roomId, 'ada'), null);
      await apply(run(1, 3));
      assert.equal(await cache.newest(roomId, 10), null);
    });

    it('gives back what it was filled with', async () => {
      await bringIn(7, { hasOlder: true });
      assert.deepEqual(await cache.newest(roomId, 10), {
        messages: [messageOf(roomId, 7)],
        version: 7,
        hasMore: true,
        position: { partition: PARTITION, nextOffset: position },
      });
      assert.equal(await cache.isMember(roomId, 'ada'), true);
      assert.equal(await cache.isMember(roomId, 'bob'), false);
    });

    it('keeps a room without messages', async () => {
      await bringIn(1, { messages: [] });
      const page = await cache.newest(roomId, 10);
      assert.deepEqual([page?.messages, page?.version, page?.hasMore], [[], 1, false]);
      await apply(run(2, 2));
      assert.deepEqual(await versions(), [2]);
    });

    it('PROJ-12 applies events that follow the version exactly', async () => {
      await bringIn(7);
      await apply(run(8, 9));
      assert.deepEqual(await versions(), [7, 8, 9]);
      assert.equal((await cache.newest(roomId, 10))?.version, 9);
    });

    it('PROJ-28 tells with a page up to where its partition was applied', async () => {
      await bringIn(7);
      await apply(run(8, 8));
      await apply();
      assert.deepEqual((await cache.newest(roomId, 1))?.position, { partition: PARTITION, nextOffset: position });
    });

    it('PROJ-12 passes over what it has, also in part', async () => {
      await bringIn(7);
      await apply(run(5, 7));
      await apply(run(6, 9));
      await apply(run(8, 9));
      assert.deepEqual(await versions(), [7, 8, 9]);
    });

    it('PROJ-12 drops the room where an event is missing', async () => {
      await bringIn(7);
      await apply(run(9, 9));
      assert.equal(await cache.newest(roomId, 10), null);
      assert.equal(await cache.isMember(roomId, 'ada'), null);
    });

    it('moves the version by events that show nowhere else', async () => {
      await bringIn(7);
      await apply(run(8, 10, { messages: [] }));
      assert.equal((await cache.newest(roomId, 10))?.version, 10);
      await apply(run(11, 11));
      assert.deepEqual(await versions(), [7, 11]);
    });

    it('follows who comes and goes, and not twice', async () => {
      await bringIn(7);
      const came: MemberChange = { version: 8, userId: 'bob', isMember: true };
      const went: MemberChange = { version: 9, userId: 'ada', isMember: false };
      await apply(run(8, 9, { messages: [], members: [came, went] }));
      assert.equal(await cache.isMember(roomId, 'bob'), true);
      assert.equal(await cache.isMember(roomId, 'ada'), false);
      const cameBefore: MemberChange = { version: 6, userId: 'ada', isMember: true };
      await apply(run(6, 10, { messages: [], members: [cameBefore] }));
      assert.equal(await cache.isMember(roomId, 'ada'), false);
    });

    it('drops the rooms it is told to', async () => {
      await bringIn(7);
      const moves = new Map([[PARTITION, { from: position, to: position + 1 }]]);
      await cache.apply({ moves, dropped: [roomId], runs: [] });
      assert.equal(await cache.newest(roomId, 10), null);
    });

    it('PROJ-15 keeps the newest messages only, and knows that there are older ones', async () => {
      await bringIn(1);
      await apply(run(2, LIMITS.cachedMessages));
      assert.equal((await cache.newest(roomId, LIMITS.cachedMessages))?.hasMore, false);
      await apply(run(LIMITS.cachedMessages + 1, LIMITS.cachedMessages + 1));
      const page = await cache.newest(roomId, LIMITS.cachedMessages);
      assert.equal(page?.messages.length, LIMITS.cachedMessages);
      assert.equal(page.messages[0]?.version, 2);
      assert.equal(page.hasMore, true);
    });

    it('gives the newest of what it has, ascending', async () => {
      await bringIn(1);
      await apply(run(2, 9));
      const page = await cache.newest(roomId, 3);
      assert.deepEqual(
        page?.messages.map(({ version }) => version),
        [7, 8, 9],
      );
      assert.equal(page.hasMore, true);
    });

    it('replaces all it has by a run that was cut', async () => {
      await bringIn(1);
      const long = run(2, 300, { isCut: true, messages: runOf(roomId, 201, 300).messages });
      await apply(long);
      const page = await cache.newest(roomId, LIMITS.cachedMessages);
      assert.deepEqual([page?.messages[0]?.version, page?.version, page?.hasMore], [201, 300, true]);
    });

    it('PROJ-13 does not take a snapshot that has not reached the position', async () => {
      const wanted = await cache.open(roomId, PARTITION);
      assert.equal(wanted, position);
      assert.equal(await cache.fill(fillOf(7, { checkpoint: position - 1 })), false);
      assert.equal(await cache.newest(roomId, 10), null);
      assert.equal(await cache.fill(fillOf(8)), true);
    });

    it('PROJ-13 adds what passed by while the snapshot was read', async () => {
      const wanted = await cache.open(roomId, PARTITION);
      await apply(run(8, 9, { members: [{ version: 9, userId: 'bob', isMember: true }] }));
      await apply(run(10, 10));
      // The snapshot is older than the cache's position by now, and holds one of the three events.
      assert.equal(await cache.fill(fillOf(8, { checkpoint: wanted ?? 0 })), true);
      assert.deepEqual(await versions(), [8, 9, 10]);
      assert.equal(await cache.isMember(roomId, 'bob'), true);
      await apply(run(11, 11));
      assert.equal((await cache.newest(roomId, 10))?.version, 11);
    });

    it('PROJ-13 gives every reader that opens a room the same position, and fills it once', async () => {
      const first = await cache.open(roomId, PARTITION);
      await apply(run(5, 5));
      assert.equal(await cache.open(roomId, PARTITION), first);
      assert.equal(await cache.fill(fillOf(5, { messages: [] })), true);
      assert.equal(await cache.open(roomId, PARTITION), null);
      assert.equal(await cache.fill(fillOf(3)), false);
      assert.equal((await cache.newest(roomId, 10))?.version, 5);
    });

    it('PROJ-13 takes nothing in that nobody opened', async () => {
      assert.equal(await cache.fill(fillOf(7)), false);
      assert.equal(await cache.newest(roomId, 10), null);
    });

    it('PROJ-13 opens nothing in a partition without a position', async () => {
      assert.equal(await cache.open(roomId, PARTITION + 1), null);
    });

    it('gives up a room that stays open for too long', async () => {
      await cache.open(roomId, PARTITION);
      for (let version = 1; version <= MAX_KEPT_RUNS + 1; version++) await apply(run(version, version));
      assert.equal(await cache.fill(fillOf(MAX_KEPT_RUNS + 1)), false);
      await bringIn(MAX_KEPT_RUNS + 1);
    });

    it('PROJ-4 is fenced where a position is not as expected, and stays where it was', async () => {
      const moves = new Map([[PARTITION, { from: position - 1, to: position + 5 }]]);
      assert.equal(await cache.apply({ moves, dropped: [], runs: [] }), 'fenced');
      assert.deepEqual(await cache.positions([PARTITION, 5]), new Map([[PARTITION, position]]));
    });

    it('keeps the positions that are there when it is started again', async () => {
      await cache.start(
        new Map([
          [PARTITION, 99],
          [5, 7],
        ]),
      );
      assert.deepEqual(
        await cache.positions([PARTITION, 5]),
        new Map([
          [PARTITION, position],
          [5, 7],
        ]),
      );
    });

    it('PROJ-29 forgets rooms and keeps the positions, so that they are filled again at once', async () => {
      for (const which of [[roomId], 'all'] as const) {
        await bringIn(7);
        await cache.drop(which);
        assert.equal(await cache.newest(roomId, 10), null);
        assert.deepEqual(await cache.positions([PARTITION]), new Map([[PARTITION, position]]));
        await bringIn(7);
        assert.deepEqual(await versions(), [7]);
        await cache.drop([]);
        assert.deepEqual(await versions(), [7]);
        await cache.drop('all');
      }
    });

    it('PROJ-14 knows nothing after it was cleared, and is filled again', async () => {
      await bringIn(7);
      await cache.clear();
      assert.equal(await cache.newest(roomId, 10), null);
      assert.equal(await cache.isMember(roomId, 'ada'), null);
      assert.deepEqual(await cache.positions([PARTITION, 5]), new Map());
      assert.equal(await cache.open(roomId, PARTITION), null);
      await cache.start(new Map([[PARTITION, position]]));
      await bringIn(7);
      assert.deepEqual(await versions(), [7]);
    });
  });
}

function messageOf(roomId: string, version: number): MessageView {
  return {
    id: `message ${version}`,
    message: `said "${version}" 😀`,
    userId: 'ada',
    username: 'Ada',
    timestamp: '2026-01-02T03:04:05.006Z',
    roomId,
    version,
    replyTo: null,
    originalTime: null,
    commandId: `command ${version}`,
  };
}

/** Messages all the way. */
function runOf(roomId: string, firstVersion: number, lastVersion: number): RoomRun {
  const versions = Array.from({ length: lastVersion - firstVersion + 1 }, (_, at) => firstVersion + at);
  const messages = versions.map((version) => messageOf(roomId, version));
  return { roomId, firstVersion, lastVersion, isCut: false, messages, members: [] };
}
