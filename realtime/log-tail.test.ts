import assert, { AssertionError } from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import pino from 'pino';
import { type Codec, openCodec } from '../event-log/codec/codec.ts';
import { folderSchemas } from '../event-log/codec/folder-schemas.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { openMemoryEventLog } from '../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../event-log/memory/memory-store.ts';
import { holds } from '../platform/pub-sub-contract.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import { BOUNDS } from './bounds.ts';
import { LogTail, TailBehindError, type TailDeps } from './log-tail.ts';

const STREAM = 'room-r';

const neverLearning: TailDeps['codec'] = {
  tryDecode: () => ({ unknownSchema: 99 }),
  learn: () => Promise.reject(new Error('the registry is away')),
};

describe('the tail of the log', () => {
  let codec: Codec;
  let log: EventLog;
  let room: ReturnType<typeof roomHistory>;
  let handed: number[];
  let wanted: boolean;
  let tail: LogTail;

  beforeEach(async () => {
    codec = await openCodec(folderSchemas());
    ({ log } = openMemoryEventLog(new MemoryStore(1)));
    room = roomHistory('r');
    handed = [];
    wanted = true;
  });

  afterEach(async () => {
    await tail.stop();
    await log.close();
  });

  /** A tail whose partitions begin at those checkpoints. */
  function open(from: ReadonlyMap<number, number>, more: Partial<TailDeps> = {}): void {
    tail = new LogTail({
      eventLog: log,
      source: { checkpoints: async () => from },
      codec,
      wants: () => wanted,
      onEvent: ({ metadata }) => handed.push(metadata.version),
      logger: pino({ level: 'silent' }),
      ...more,
    });
    void tail.run();
  }

  const encoded = (text: string) => ({ key: STREAM, value: codec.encode(room.next('ada', made.said(text))) });

  it('RT-25 hands on what is wanted from the checkpoint on, and tells how far it has seen', async () => {
    await log.append(0, 0, [encoded('one'), encoded('two'), encoded('three')]);
    open(new Map([[0, 1]]));
    await tail.hold(0);
    assert.equal(await tail.catchUp(0), 3);
    assert.deepEqual(handed, [2, 3]);
    assert.equal(tail.recordsSeen(0), 3);
    assert.equal(tail.lag(), 0);
    wanted = false;
    await log.append(0, 3, [encoded('four')]);
    await tail.catchUp(0);
    assert.deepEqual(handed, [2, 3]);
    assert.equal(tail.recordsSeen(0), 4);
  });

  it('RT-25 a barrier moves the tail but not what history has to have reached', async () => {
    await log.append(0, 0, [encoded('one')]);
    await log.barrier(0);
    open(new Map());
    await tail.hold(0);
    await tail.catchUp(0);
    assert.equal(tail.recordsSeen(0), 1);
  });

  it('RT-25 passes over a record that cannot be read', async () => {
    await log.append(0, 0, [encoded('one'), { key: STREAM, value: Buffer.from('poison') }, encoded('two')]);
    open(new Map());
    await tail.hold(0);
    await tail.catchUp(0);
    assert.deepEqual(handed, [1, 2]);
  });

  it('RT-25 waits for a schema that cannot be had now instead of passing over the record', async () => {
    let attempts = 0;
    await log.append(0, 0, [encoded('one')]);
    open(new Map(), {
      codec: {
        tryDecode: (value) => (attempts < 2 ? { unknownSchema: 99 } : codec.tryDecode(value)),
        learn: async () => {
          attempts += 1;
          if (attempts < 2) throw new Error('the registry is away');
        },
      },
    });
    await tail.hold(0);
    await holds(() => handed.length > 0);
    assert.deepEqual(handed, [1]);
  });

  it('RT-6 catching up has an end when the tail stands still', async () => {
    open(new Map(), { codec: neverLearning });
    await tail.hold(0);
    await log.append(0, 0, [encoded('one')]);
    await assert.rejects(tail.catchUp(0), TailBehindError);
  });

  it('RT-48 knows since when it is up to date, and forgets it with the partition', async () => {
    open(new Map());
    assert.equal(tail.upToDateAt(0), Number.NEGATIVE_INFINITY);
    await tail.hold(0);
    tail.tick(1_000);
    await holds(() => tail.upToDateAt(0) === 1_000);
    await log.append(0, 0, [encoded('one')]);
    for (let second = 2; second <= BOUNDS.headEverySeconds + 1; second++) tail.tick(second * 1_000);
    // Of when it asked, not of when it was answered.
    await holds(() => tail.upToDateAt(0) > 1_000);
    assert.ok(tail.upToDateAt(0) <= (BOUNDS.headEverySeconds + 1) * 1_000);
    assert.deepEqual(handed, [1]);
    tail.release(0);
    assert.equal(tail.upToDateAt(0), Number.NEGATIVE_INFINITY);
  });

  it('RT-44 however many catch up at once, the log is asked a few times where it ends', async () => {
    let asked = 0;
    const head = (partition: number): Promise<number> => {
      asked += 1;
      return log.head(partition);
    };
    open(new Map(), {
      eventLog: { ...log, partitions: 1, follow: (options) => log.follow(options), head } as EventLog,
    });
    await tail.hold(0);
    const first = Array.from({ length: 500 }, () => tail.catchUp(0));
    await log.append(0, 0, [encoded('one')]);
    const then = Array.from({ length: 500 }, () => tail.catchUp(0));
    await Promise.all(first);
    for (const seen of await Promise.all(then)) assert.equal(seen, 1);
    assert.ok(asked <= 4, `${asked} times`);
  });

  it('RT-27 begins with no partition, shares one between its rooms, and ends it with the last of them', async () => {
    await log.append(0, 0, [encoded('one')]);
    open(new Map());
    assert.equal(tail.partitionCount, 0);
    await Promise.all([tail.hold(0), tail.hold(0)]);
    assert.equal(await tail.catchUp(0), 1);
    tail.release(0);
    await log.append(0, 1, [encoded('two')]);
    await tail.catchUp(0);
    assert.equal(tail.partitionCount, 1);
    tail.release(0);
    assert.equal(tail.partitionCount, 0);
    assert.equal(tail.lag(), 0);
    await log.append(0, 2, [encoded('three')]);
    await turns(20);
    assert.deepEqual(handed, [1, 2]);
  });

  it('RT-27 a partition that is held again begins anew, at the checkpoint of then', async () => {
    await log.append(0, 0, [encoded('one'), encoded('two'), encoded('three')]);
    const checkpoints = new Map([[0, 0]]);
    open(checkpoints);
    for (const [checkpoint, expected] of [
      [0, [1, 2, 3]],
      [2, [3]],
      [3, []],
    ] as const) {
      checkpoints.set(0, checkpoint);
      handed = [];
      await tail.hold(0);
      assert.equal(tail.recordsSeen(0), checkpoint);
      assert.equal(await tail.catchUp(0), 3);
      assert.deepEqual(handed, expected);
      tail.release(0);
    }
  });

  it('RT-27 what is left of a batch in hand when the last room goes is handed to nobody', async () => {
    await log.append(0, 0, [encoded('one'), encoded('two')]);
    const learning = Promise.withResolvers<void>();
    let asked = 0;
    open(new Map(), {
      codec: {
        tryDecode: (value) => (asked === 0 ? { unknownSchema: 99 } : codec.tryDecode(value)),
        learn: () => {
          asked += 1;
          return learning.promise;
        },
      },
    });
    await tail.hold(0);
    await holds(() => asked === 1);
    tail.release(0);
    // Whoever comes now waits for that batch to be done with.
    const again = tail.hold(0);
    learning.resolve();
    await again;
    assert.equal(await tail.catchUp(0), 2);
    assert.deepEqual(handed, [1, 2]);
  });

  it('RT-29 a checkpoint that cannot be read refuses all that share it, leaves nothing held, and is tried anew', async () => {
    await log.append(0, 0, [encoded('one')]);
    const away = new Error('the database is away');
    let isAway = true;
    open(new Map(), { source: { checkpoints: async () => (isAway ? Promise.reject(away) : new Map([[0, 0]])) } });
    const outcomes = await Promise.allSettled([tail.hold(0), tail.hold(0)]);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason),
      [away, away],
    );
    assert.equal(tail.partitionCount, 0);
    assert.throws(() => tail.release(0), AssertionError);
    isAway = false;
    await tail.hold(0);
    await tail.catchUp(0);
    assert.deepEqual(handed, [1]);
    tail.release(0);
  });

  it('RT-6 catching up ends when the last room goes', async () => {
    open(new Map(), { codec: neverLearning });
    await tail.hold(0);
    await log.append(0, 0, [encoded('one')]);
    const caughtUp = tail.catchUp(0);
    await holds(() => tail.lag() === 0);
    tail.release(0);
    await assert.rejects(caughtUp, { name: 'TailBehindError', message: /not followed/ });
  });

  it('to ask about a partition that is not held is a bug', async () => {
    open(new Map());
    assert.throws(() => tail.recordsSeen(0), AssertionError);
    await assert.rejects(tail.catchUp(0), AssertionError);
    assert.throws(() => tail.release(0), AssertionError);
  });
});

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
}
