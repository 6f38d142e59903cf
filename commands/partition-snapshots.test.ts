// Snapshots as an owner of a partition meets them. That they never say anything wrong is partition/snapshots.prop.test.ts.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { until } from '../event-log/contract/log-probe.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { openMemoryEventLog } from '../event-log/memory/memory-event-log.ts';
import {
  type MemorySnapshotFaults,
  MemorySnapshots,
  openMemorySnapshotStore,
} from '../event-log/memory/memory-snapshot-store.ts';
import { MemoryStore } from '../event-log/memory/memory-store.ts';
import type { SnapshotEntry, SnapshotStore } from '../event-log/snapshot-store.ts';
import { systemTime } from '../platform/time.ts';
import { type Command, streamOfRoom } from '../schemas/commands.ts';
import { LIMITS } from '../schemas/limits.ts';
import { ADA, BOB, command } from '../tests/support/given-when-then.ts';
import { readGoldenSnapshot } from '../tests/support/golden-snapshot.ts';
import {
  assertRejected,
  eventsOf,
  mustAccept,
  type OwnerSide,
  openOwner,
  testCodec,
} from '../tests/support/write-side.ts';
import { withMetadata } from './chatroom/new-event.ts';
import { parseKey } from './partition/snapshot-keys.ts';

const ROOM = 'lobby';
const EVERY = 10;
const create = (roomId = ROOM): Command =>
  command(ADA, { type: 'CreateRoom', roomId, spaceId: 's', name: 'Lobby', description: '', isPrivate: false });
let sends = 0;
const send = (text = 'hi', more: Partial<Command> = {}, by = ADA): Command => {
  const messageId = `0199c0de-0000-7000-8000-${String(++sends).padStart(12, '0')}`;
  const body = { type: 'SendMessage', roomId: ROOM, messageId, text, replyTo: null, originalTime: null } as const;
  return command(by, body, more);
};

describe('an owner with snapshots', () => {
  let log: EventLog;
  /** The lowest offset that was read, and how many records. */
  let reads: { from: number; records: number };
  let snapshots: MemorySnapshots;
  let store: SnapshotStore;
  let faults: MemorySnapshotFaults;
  let side: OwnerSide;

  beforeEach(async () => {
    log = openMemoryEventLog(new MemoryStore(1)).log;
    snapshots = new MemorySnapshots();
    ({ store, faults } = openMemorySnapshotStore(snapshots));
    side = await openSide();
  });

  afterEach(async () => {
    await side.stop();
    await store.close();
    await log.close();
  });

  /** As a process that has just gained the partition. */
  async function openSide(more: { time?: typeof systemTime; eventsPerSnapshot?: number } = {}): Promise<OwnerSide> {
    reads = { from: Number.POSITIVE_INFINITY, records: 0 };
    return await openOwner(countingReads(log), { snapshots: store, eventsPerSnapshot: EVERY, ...more });
  }

  function countingReads(inner: EventLog): EventLog {
    return {
      partitions: inner.partitions,
      append: (...given) => inner.append(...given),
      barrier: (partition) => inner.barrier(partition),
      head: (partition) => inner.head(partition),
      offsetAt: (...given) => inner.offsetAt(...given),
      inspect: (...given) => inner.inspect(...given),
      follow: (options) => inner.follow(options),
      close: () => inner.close(),
      async *read(partition, from, to) {
        reads.from = Math.min(reads.from, from);
        for await (const batch of inner.read(partition, from, to)) {
          reads.records += batch.records.length;
          yield batch;
        }
      },
    };
  }

  async function restart(): Promise<void> {
    await side.stop();
    side = await openSide();
  }

  const sendMany = (count: number) => Promise.all(Array.from({ length: count }, () => side.execute(send())));
  const failures = () => side.metric('roomlog_commands_snapshot_seconds', { outcome: 'failed' });
  const texts = async () =>
    (await eventsOf(log)).flatMap(({ event }) => (event.type === 'MessageSent' ? [event.text] : []));
  const keysOf = (kind: string) => {
    const kept = new Map(snapshots.entries(0).map(({ key, value }) => [key, value]));
    return [...kept].flatMap(([key, value]) => (value !== null && parseKey(key)?.kind === kind ? [key] : []));
  };
  const rewrite = (change: (entry: SnapshotEntry) => SnapshotEntry) => {
    snapshots.write(0, snapshots.entries(0).map(change));
  };

  it('SNAP-2 begins with the snapshot and reads only what came after it; CMD-3 a repeated command gets its first answer', async () => {
    mustAccept(await side.execute(create()));
    const wish = send('once');
    const first = mustAccept(await side.execute(wish));
    await sendMany(30);
    await restart();
    assert.deepEqual([reads.from, reads.records], [31, 1], 'the last event tells whether it is the same log');
    assert.deepEqual(await side.execute({ ...wish, now: wish.now + 60_000 }), first);
    assertRejected(await side.execute({ ...send('another'), commandId: wish.commandId }), 'invalid_request');
    assert.equal((await texts()).filter((text) => text === 'once').length, 1);
    assert.equal(mustAccept(await side.execute(send('after'))).version, 33);
    await restart();
    assert.equal(reads.from, 32);
  });

  it(`SNAP-2 writes a snapshot every so many events while commands are decided`, async () => {
    mustAccept(await side.execute(create()));
    await sendMany(EVERY);
    await until('a marker is there', () => keysOf('marker').length === 1);
    assert.equal(await side.metric('roomlog_commands_events_since_snapshot'), 0);
    // As a process does that is killed: nothing is written any more.
    await faults.refuse();
    await sendMany(3);
    await side.stop();
    await faults.accept();
    side = await openSide();
    assert.deepEqual([reads.from, reads.records], [10, 4]);
    assert.equal(mustAccept(await side.execute(send())).version, 15);
  });

  it('SNAP-4 a store that hangs keeps no command waiting, and one that fails is tried again', async () => {
    await side.stop();
    // It hangs for longer than the test may take.
    ({ store, faults } = openMemorySnapshotStore(snapshots, { timeoutMs: 60_000 }));
    side = await openSide();
    mustAccept(await side.execute(create()));
    faults.holdRequests();
    await sendMany(EVERY);
    for (let count = 0; count < 50; count++) mustAccept(await side.execute(send()));
    assert.equal(await side.metric('roomlog_commands_snapshot_seconds'), 0);
    faults.cut();
    await until('the round has failed', async () => (await failures()) === 1);
    await faults.releaseRequests();
    await until('a marker is there', () => keysOf('marker').length > 0);
    await restart();
    assert.equal(reads.from, 60);
  });

  it('SNAP-4 a round is made in portions of some 32 KiB, with a pause after each that keeps to the rate', async () => {
    await side.stop();
    const pauses: number[] = [];
    // No time passes, so that the whole time of a portion is paused for.
    const pause = (ms: number) => {
      pauses.push(ms);
      return systemTime.nextTurn();
    };
    const time = { ...systemTime, now: () => 0, pause };
    side = await openSide({ time, eventsPerSnapshot: 5_000 });
    mustAccept(await side.execute(create()));
    await sendMany(5_000);
    await until('the round is done', () => keysOf('marker').length === 1);
    const bytes = [...snapshots.entries(0)].reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    const msOf = (size: number) => (size / (4 * 1024 * 1024)) * 1_000;
    assert.ok(bytes > 100_000);
    assert.ok(pauses.length >= 3);
    for (const ms of pauses) assert.ok(ms >= msOf(32 * 1024) && ms <= msOf(64 * 1024), `${ms} ms`);
    assert.ok(pauses.reduce((sum, ms) => sum + ms, 0) >= msOf(bytes - 64 * 1024));
  });

  it('SNAP-4 a store that is away costs time alone', async () => {
    mustAccept(await side.execute(create()));
    await sendMany(30);
    await side.stop();
    await faults.refuse();
    side = await openSide();
    assert.equal(reads.from, 0);
    assert.equal(mustAccept(await side.execute(send())).version, 32);
    await faults.accept();
    await until('the set is written', async () => {
      mustAccept(await side.execute(send()));
      return keysOf('marker').some((key) => key.startsWith('000000000002-'));
    });
    await restart();
    assert.notEqual(reads.from, 0);
  });

  describe('SNAP-5 does not use', () => {
    beforeEach(async () => {
      for (const wish of [create(), create('quiet'), command(BOB, { type: 'JoinRoom', roomId: ROOM })]) {
        mustAccept(await side.execute(wish));
      }
      await sendMany(20);
      await side.stop();
    });

    async function readsTheWholeLog(): Promise<void> {
      side = await openSide();
      assert.equal(reads.from, 0);
      assert.equal(await side.metric('roomlog_commands_broken_streams'), 0);
      assert.equal(mustAccept(await side.execute(send('after', {}, BOB))).version, 23);
    }

    const isRoom = (key: string, roomId: string) => {
      const parsed = parseKey(key);
      return parsed?.kind === 'room' && parsed.stream === streamOfRoom(roomId);
    };
    const changed = (value: Buffer | null, change: (copy: Buffer) => void) => {
      const copy = Buffer.from(value ?? '');
      change(copy);
      return copy;
    };

    it('one of another state version', async () => {
      rewrite(({ key, value }) => ({ key, value: value && changed(value, (copy) => copy.writeUInt16BE(99, 0)) }));
      await readsTheWholeLog();
    });

    it('one with the bytes of an earlier state version', async () => {
      const golden = Object.entries(readGoldenSnapshot(1)).filter(([, hex]) => hex !== '');
      const written = golden.map(([key, hex]) => ({ key: key.replace(/^\d+ /, ''), value: Buffer.from(hex, 'hex') }));
      snapshots.write(0, [...snapshots.entries(0).map(({ key }) => ({ key, value: null })), ...written]);
      await readsTheWholeLog();
    });

    it('a lower one in its place', async () => {
      const older = snapshots.entries(0);
      snapshots.write(
        0,
        older.map(({ key, value }) => ({
          key: key.replace(/^0+1/, '000000000007'),
          value: value && changed(value, (copy) => copy.writeUInt16BE(99, 0)),
        })),
      );
      await readsTheWholeLog();
    });

    it('one with a room of another version', async () => {
      rewrite(({ key, value }) =>
        isRoom(key, 'quiet') ? { key, value: changed(value, (copy) => copy.writeDoubleBE(2, 2)) } : { key, value },
      );
      await readsTheWholeLog();
    });

    it('one that lacks a room, though nothing has happened in it since', async () => {
      rewrite(({ key, value }) => ({ key, value: isRoom(key, 'quiet') ? null : value }));
      await readsTheWholeLog();
    });

    it('one that lacks a segment of commands', async () => {
      rewrite(({ key, value }) => ({ key, value: parseKey(key)?.kind === 'segment' ? null : value }));
      await readsTheWholeLog();
    });

    it('one whose bytes are broken', async () => {
      rewrite(({ key, value }) =>
        isRoom(key, ROOM) ? { key, value: value?.subarray(0, value.length - 3) ?? null } : { key, value },
      );
      await readsTheWholeLog();
    });

    it('one that the log does not go on from', async () => {
      // What a round of a moment ago would have left behind, with the marker of now.
      const { roomId } = send().body;
      const before = snapshots.entries(0);
      side = await openSide();
      await sendMany(EVERY);
      await until('the marker has moved', () => keysOf('marker').some((key) => key.startsWith('000000000002-')));
      await side.stop();
      const old = before.findLast(({ key }) => isRoom(key, roomId));
      for (const value of [null, old?.value ?? null]) {
        rewrite((entry) => (isRoom(entry.key, roomId) ? { key: entry.key, value } : entry));
      }
      side = await openSide();
      assert.equal(reads.from, 0);
      assert.equal(mustAccept(await side.execute(send('after', {}, BOB))).version, 33);
    });

    it('one of another log, shorter or longer', async () => {
      await log.close();
      log = openMemoryEventLog(new MemoryStore(1)).log;
      side = await openSide();
      mustAccept(await side.execute(create()));
      await side.stop();
      log = openMemoryEventLog(new MemoryStore(1)).log;
      side = await openOwner(log);
      mustAccept(await side.execute(create('elsewhere')));
      for (let count = 0; count < 30; count++) {
        mustAccept(await side.execute(command(ADA, { ...create().body, roomId: `room ${count}` } as Command['body'])));
      }
      await side.stop();
      side = await openSide();
      assertRejected(await side.execute(send()), 'room_not_found');
    });
  });

  it('SNAP-7 a large room is written in pieces, and only when its members have changed', async () => {
    const members = LIMITS.roomMembers - 1;
    await side.stop();
    await appendLargeRoom(log, members);
    side = await openSide();
    await until('a marker is there', () => keysOf('marker').length === 1);
    const pieces = keysOf('piece');
    assert.ok(pieces.length > 10, `${pieces.length} pieces`);
    await side.owner.snapshot();
    await sendMany(EVERY);
    await side.owner.snapshot();
    assert.deepEqual(keysOf('piece'), pieces);
    mustAccept(await side.execute(command(BOB, { type: 'JoinRoom', roomId: ROOM })));
    await restart();
    assert.equal(keysOf('piece').length, pieces.length);
    assert.notDeepEqual(keysOf('piece'), pieces);
    assert.equal(reads.from, members + EVERY);
    mustAccept(await side.execute(send('yes', {}, { userId: `member ${members - 1}`, username: 'M' })));
    mustAccept(await side.execute(send('yes', {}, BOB)));
    assertRejected(await side.execute(send('no', {}, { userId: 'nobody', username: 'N' })), 'not_a_member');
  }).timeout(60_000);

  it('SNAP-8 while a stream of the partition cannot be read, no snapshot is written', async () => {
    mustAccept(await side.execute(create()));
    mustAccept(await side.execute(create('other')));
    await side.stop();
    const before = snapshots.entries(0).length;
    await log.append(0, await log.head(0), [{ key: streamOfRoom('other'), value: Buffer.from('poison') }]);
    side = await openSide();
    await sendMany(3 * EVERY);
    await restart();
    assert.equal(snapshots.entries(0).length, before);
    assert.equal(await side.metric('roomlog_commands_broken_streams'), 1);
    assert.equal(mustAccept(await side.execute(send())).version, 3 * EVERY + 2);
  });

  describe('SNAP-9 handing over', () => {
    it('brings the snapshot up to date while commands are decided', async () => {
      mustAccept(await side.execute(create()));
      await side.owner.snapshot();
      assert.equal(keysOf('marker').length, 1);
      mustAccept(await side.execute(send()));
      await side.owner.snapshot();
      await restart();
      assert.equal(reads.from, 1);
    });

    it('stopping does so last of all, and gives up on a store that hangs', async () => {
      await side.stop();
      ({ store, faults } = openMemorySnapshotStore(snapshots, { timeoutMs: 60_000 }));
      // Seconds pass in milliseconds, so that the test need not wait for them.
      const time = {
        ...systemTime,
        pause: (ms: number, signal: AbortSignal) => systemTime.pause(ms / 100, signal),
      };
      side = await openSide({ time });
      mustAccept(await side.execute(create()));
      faults.holdRequests();
      const began = performance.now();
      await side.stop();
      assert.ok(performance.now() - began < 2_000);
      assert.equal(keysOf('marker').length, 0);
      faults.cut();
      side = await openSide();
      assert.equal(reads.from, 0);
    });
  });
});

/** A room and its members, as the log of a long history has them. */
async function appendLargeRoom(log: EventLog, members: number): Promise<void> {
  const made = {
    type: 'RoomCreated',
    roomId: ROOM,
    spaceId: 's',
    name: 'n',
    description: '',
    isPrivate: false,
  } as const;
  const joins = Array.from({ length: members - 1 }, (_, index) => {
    const userId = `member ${index + 1}`;
    return { type: 'MemberJoined', roomId: ROOM, userId, username: 'M', invitedBy: null } as const;
  });
  const wish = create();
  const records = [made, ...joins].map((event, index) => {
    const place = { stream: streamOfRoom(ROOM), version: index + 1, eventId: `event ${index}` };
    const by = event.type === 'MemberJoined' ? { userId: event.userId, username: event.username } : ADA;
    const more = { actor: by, commandId: `join ${index}` };
    return { key: place.stream, value: testCodec.encode(withMetadata(event, { ...wish, ...more }, place)) };
  });
  for (let at = 0; at < records.length; at += 5_000) await log.append(0, at, records.slice(at, at + 5_000));
}
