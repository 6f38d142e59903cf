import assert from 'node:assert/strict';
import fc from 'fast-check';
import { after, before, beforeEach, describe, it } from 'mocha';
import { partitionOf } from '../../event-log/partition-of.ts';
import { streamOfRoom } from '../../schemas/commands.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { messageView } from '../../schemas/views.ts';
import { arbitraryHistory } from '../../tests/support/arbitraries.ts';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { arbitraryDamage, damageOne } from '../../tests/support/damage.ts';
import { type KafkaHarness, openKafkaHarness } from '../../tests/support/kafka-harness.ts';
import { openReplayHarness, type ReplayHarness } from '../../tests/support/replay-harness.ts';
import { createMemoryRoomCache } from '../cache/memory-room-cache.ts';
import type { RoomCache } from '../cache/room-cache.ts';
import { type Audit, auditRoom, NoSuchRoomError } from './audit-room.ts';

const RUNS = 15;
const PARTITIONS = 4;
const RED = partitionOf(streamOfRoom('red'), PARTITIONS);

describe('auditing a room', () => {
  let harness: ReplayHarness;

  before(async () => {
    harness = await openReplayHarness(PARTITIONS);
  });
  after(() => harness.close());
  beforeEach(() => harness.clear());

  async function audit(roomId: string, cache: RoomCache | null = null): Promise<Audit> {
    const { signal } = new AbortController();
    const audited = await auditRoom({ ...harness.deps, cache }, { live: harness.projection, roomId, signal });
    assert.ok(audited);
    return audited;
  }

  const told = ({ faults }: Audit): string[] => faults.map(({ place, offset, what }) => `${place} ${offset}: ${what}`);

  it('REPLAY-50 law: what decisions made and the projection projected is sound', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryHistory(), async (events) => {
        await harness.clear();
        await harness.append(events);
        await harness.projectLive();
        for (const roomId of new Set(events.map((event) => event.roomId))) {
          const audited = await audit(roomId);
          assert.deepEqual(told(audited), []);
          assert.equal(audited.events, events.filter((event) => event.roomId === roomId).length);
          assert.equal(audited.version, audited.events);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('REPLAY-50 law: any one damaged cell or row of the room is found', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryHistory({ minLength: 1 }), arbitraryDamage, async (events, how) => {
        await harness.clear();
        await harness.append(events);
        await harness.projectLive();
        const damaged = await damageOne(harness.history.db, harness.projection.schema, how);
        fc.pre(damaged !== null && events.some(({ roomId }) => roomId === damaged.roomId));
        const { faults } = await audit(String(damaged.roomId));
        assert.deepEqual([faults.length, faults[0]?.place], [1, 'history'], JSON.stringify(faults));
        const [fault] = faults;
        assert.ok(fault);
        assert.ok(fault.what.startsWith(damaged.table), fault.what);
        for (const column of damaged.changed) assert.ok(fault.what.includes(column), fault.what);
        assert.equal(fault.offset === null, damaged.before === null);
      }),
      { numRuns: RUNS * 2 },
    );
  });

  it('REPLAY-48 names each fault of the stream with its offset', async () => {
    const room = roomHistory('red');
    const events = ['one', 'two', 'three'].map((text) => room.next('ada', made.said(text)));
    const [first, second, third] = events as [ChatEvent, ChatEvent, ChatEvent];
    const other = roomHistory('blue').next('ada', made.room());
    await harness.append([first]);
    await harness.appendRaw(streamOfRoom('red'), Buffer.from('nonsense'));
    await harness.append([third, second]);
    await harness.appendRaw(streamOfRoom('red'), harness.history.codec.encode(other));
    await harness.projectLive();
    const audited = await audit('red');
    assert.deepEqual(
      told(audited).filter((fault) => fault.startsWith('log')),
      [
        'log 0: the room begins with MessageSent',
        told(audited).find((fault) => fault.startsWith('log 1: it cannot be read: ')),
        'log 2: version 3 follows version 1',
        'log 3: version 2 follows version 3',
        'log 4: its event is of stream room-blue',
      ],
    );
    assert.ok(told(audited).some((fault) => fault.startsWith('history 0: parked from here on: ')));
    assert.equal(audited.faultCount, 6);
  });

  it('REPLAY-48 says where history is only behind, and refuses a room that the log does not have', async () => {
    const room = roomHistory('red');
    await harness.append([room.next('ada', made.room())]);
    await harness.projectLive();
    await harness.append([room.next('ada', made.said('not projected yet'))]);
    const audited = await audit('red');
    assert.deepEqual([audited.faults, audited.checkpoint, audited.head, audited.version], [[], 1, 2, 2]);
    await assert.rejects(audit('blue'), NoSuchRoomError);
  });

  describe('with void records in the log', () => {
    let kafka: KafkaHarness;
    before(async () => {
      kafka = await openKafkaHarness(PARTITIONS);
    });
    after(() => kafka.close());

    for (const kind of ['memory', 'Kafka'] as const) {
      it(`REPLAY-49 counts those of the room's key, and they are no faults, in ${kind}`, async () => {
        if (kind === 'Kafka') harness.deps.log = kafka.log;
        const start = await harness.deps.log.head(RED);
        const room = roomHistory('red');
        const events = [room.next('ada', made.room()), room.next('ada', made.said('one'))];
        await harness.append(events);
        const late = events.map((event) => ({
          key: event.metadata.stream,
          value: harness.history.codec.encode(event),
        }));
        // A writer who has not seen the two above: what it writes never counts.
        assert.equal((await harness.deps.log.append(RED, start, late)).kind, 'conflict');
        await harness.append([room.next('ada', made.said('two'))]);
        await harness.projectLive();
        const audited = await audit('red');
        assert.deepEqual([audited.events, audited.voids, audited.faults], [3, 2, []]);
      });
    }
  });

  it('REPLAY-51 holds the hot cache against the log at the version that the cache is at', async () => {
    const room = roomHistory('red');
    const events = [room.next('ada', made.room()), room.next('bob', made.joined('bob'))];
    for (const text of ['one', 'two', 'three']) events.push(room.next('bob', made.said(text)));
    events.push(room.next('bob', made.left('bob')));
    await harness.append(events);
    await harness.projectLive();
    const messages = events.flatMap((event) => (event.type === 'MessageSent' ? [messageView(event)] : []));
    const fill = async (wrong: Partial<Parameters<RoomCache['fill']>[0]>): Promise<RoomCache> => {
      const cache = createMemoryRoomCache({ maxRooms: 10, maxMembers: 100 });
      await cache.start(new Map([[RED, 0]]));
      await cache.open('red', RED);
      const room = { roomId: 'red', partition: RED, checkpoint: 5, version: 5, hasOlder: false };
      assert.ok(await cache.fill({ ...room, messages, memberIds: ['ada', 'bob'], ...wrong }));
      return cache;
    };
    // Bob leaves with version 6, which this cache has not seen.
    const sound = await audit('red', await fill({}));
    assert.deepEqual([sound.cache, told(sound)], [5, []]);
    assert.deepEqual(told(await audit('red', await fill({ version: 6 }))), [
      'cache null: user bob is a member there, and by the log it is otherwise',
    ]);
    assert.deepEqual(told(await audit('red', await fill({ memberIds: ['bob'] }))), [
      'cache null: user ada is no member there, and by the log it is otherwise',
    ]);
    const changed = messages.map((message) => (message.version === 4 ? { ...message, message: 'TWO' } : message));
    assert.deepEqual(told(await audit('red', await fill({ messages: changed }))), [
      'cache null: message of version 4 is not what the log says',
    ]);
    assert.deepEqual(told(await audit('red', await fill({ messages: messages.slice(1) }))), [
      'cache null: it says that it has all messages, and has 2 of 3',
    ]);
    assert.deepEqual(told(await audit('red', await fill({ messages: messages.slice(1), hasOlder: true }))), []);
    assert.deepEqual(told(await audit('red', await fill({ version: 9, memberIds: ['ada'] }))), [
      'cache null: it is at version 9, and the log ends at version 6',
    ]);
    assert.equal((await audit('red', createMemoryRoomCache({ maxRooms: 1, maxMembers: 1 }))).cache, 'absent');
  });
});
