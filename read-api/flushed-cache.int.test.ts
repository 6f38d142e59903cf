// The hot cache is emptied, or built anew, while rooms are read and written: no reader may notice but by the time it takes.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { until } from '../event-log/contract/log-probe.ts';
import { bringInAll, givePositions } from '../ops/replay/rebuild-cache.ts';
import { systemClock } from '../platform/clock.ts';
import { createRedisRoomCache } from '../projections/cache/redis-room-cache.ts';
import type { RoomCache } from '../projections/cache/room-cache.ts';
import { parsePosition } from '../schemas/commands.ts';
import type { MessageView } from '../schemas/wire.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import { type OwnRedis, startOwnRedis } from '../tests/support/own-redis.ts';
import { openReadApiHarness, type ReadApiHarness } from '../tests/support/read-api-harness.ts';
import { PositionWaiter } from './position-waiter.ts';

const ADA = { userId: 'ada' };
const ROOMS = 12;
const READERS = 4;
const LIMIT = 20;
/** Pages in a row that must come from the cache for the hit rate to count as being back, of each room. */
const HITS_IN_A_ROW = 5;

type Room = ReturnType<typeof roomHistory> & { id: string; textByVersion: string[]; offsetByVersion: number[] };

describe('a hot cache in Redis that is emptied under load', function () {
  this.timeout(120_000);
  let redis: OwnRedis;
  let cache: RoomCache;
  let api: ReadApiHarness;
  const rooms: Room[] = Array.from({ length: ROOMS }, (_, at) => {
    const room = roomHistory(`room ${at}`);
    return Object.assign(room, { id: `room ${at}`, textByVersion: [''], offsetByVersion: [-1] });
  });
  const load = { isOver: false, reads: 0, hits: 0, parts: [] as Promise<void>[] };
  const hitsInARow = new Map<string, number>();

  before(async () => {
    redis = await startOwnRedis();
    cache = createRedisRoomCache({ redis: redis.client, prefix: 'flushed:' });
    api = await openReadApiHarness({ maxRefills: 8 }, undefined, cache);
    for (const room of rooms) say(room);
    const last = rooms.at(-1)?.id ?? '';
    // Until the projection has made its tables, asking them fails.
    const isThere = () => api.history.queries.roomSnapshot(last).catch(() => null);
    await until('all rooms are in history', async () => (await isThere()) !== null);
    load.parts = [write(), ...Array.from({ length: READERS }, (_, reader) => read(reader))];
    // A failed reader must not be an unhandled rejection until it is awaited.
    for (const part of load.parts) part.catch(() => undefined);
  });

  after(async () => {
    load.isOver = true;
    await Promise.allSettled(load.parts);
    await api.close();
    await redis.stop();
  });

  /** Appends the room's next event; from then on it counts as acknowledged. */
  function say(room: Room): string {
    const text = `${room.id}, event ${room.version + 1}`;
    const event = room.next('ada', room.version === 0 ? made.room() : made.said(text));
    const position = api.append([event]);
    const { partition, offset } = parsePosition(position) ?? { partition: 0, offset: 0 };
    room.textByVersion.push(text);
    room.offsetByVersion.push(offset);
    api.written.note(partition, offset);
    return position;
  }

  async function write(): Promise<void> {
    for (let turn = 0; !load.isOver; turn++) {
      const room = rooms[turn % ROOMS];
      assert.ok(room);
      say(room);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async function read(reader: number): Promise<void> {
    for (let turn = reader; !load.isOver; turn++) {
      const room = rooms[turn % ROOMS];
      assert.ok(room);
      // Each tenth read is of one who has just written.
      await readPage(room, turn % 10 === 0 ? say(room) : null);
    }
  }

  /** Reads the newest page and holds it to what was acknowledged. */
  async function readPage(room: Room, mine: string | null): Promise<void> {
    const path = `/api/v1/messages?chatroomId=${encodeURIComponent(room.id)}&limit=${LIMIT}`;
    const { status, headers, body } = await api.get(path, ADA, mine === null ? {} : { 'x-min-position': mine });
    assert.equal(status, 200, JSON.stringify(body));
    const messages = body.messages as MessageView[];
    const last = messages.at(-1)?.version ?? 1;
    assert.deepEqual(
      messages.map(({ version, message }) => [version, message]),
      Array.from({ length: Math.min(LIMIT, last - 1) }, (_, at) => {
        const version = last - Math.min(LIMIT, last - 1) + 1 + at;
        return [version, room.textByVersion[version]];
      }),
    );
    const claimed = parsePosition(headers.get('x-position') ?? '')?.offset ?? -1;
    const missing = room.offsetByVersion.findIndex((offset, version) => version > last && offset <= claimed);
    assert.equal(missing, -1, `version ${missing} is claimed and not there: the last one is ${last}`);
    if (mine !== null) assert.ok(claimed >= (parsePosition(mine)?.offset ?? 0), 'a writer sees its own write');
    const isHit = headers.get('x-cache') === 'hit';
    load.reads += 1;
    load.hits += isHit ? 1 : 0;
    if (mine === null) hitsInARow.set(room.id, isHit ? (hitsInARow.get(room.id) ?? 0) + 1 : 0);
  }

  /** Resolves once every room has come from the cache several times in a row, counted from now; rejects when a read was wrong. */
  async function untilHot(): Promise<void> {
    hitsInARow.clear();
    const isHot = async (): Promise<boolean> =>
      rooms.every(({ id }) => (hitsInARow.get(id) ?? 0) >= HITS_IN_A_ROW) && redis.client.status === 'ready';
    await Promise.race([until('all rooms come from the cache', isHot, 60_000), ...load.parts]);
  }

  const misses = (): number => load.reads - load.hits;

  it('PROJ-14 READ-10 READ-17 reads stay right after FLUSHALL, and the hits come back', async () => {
    await untilHot();
    for (let time = 0; time < 3; time++) {
      const before = misses();
      await redis.client.flushall();
      await untilHot();
      assert.ok(misses() > before, 'somebody has noticed');
    }
  });

  it('REPLAY-67 reads stay right while the cache is built anew, and all rooms are in at the end', async () => {
    await untilHot();
    const { queries } = api.history;
    const positions = new PositionWaiter({
      checkpoints: () => queries.checkpoints(),
      clock: systemClock,
      timeoutMs: 2_000,
      maxWaiting: 100,
    });
    const places = rooms.map(({ id }) => ({ roomId: id, partition: 0 }));
    for (let time = 0; time < 3; time++) {
      const counts = { done: 0, filled: 0, present: 0, failed: 0 };
      await cache.drop('all');
      await givePositions({ cache }, await queries.checkpoints());
      await bringInAll({ cache, queries, positions }, places, { signal: new AbortController().signal, counts });
      assert.equal(counts.done, ROOMS);
      assert.equal(counts.filled + counts.present, ROOMS);
      await untilHot();
    }
  });
});
