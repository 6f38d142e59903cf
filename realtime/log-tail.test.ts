import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import pino from 'pino';
import { type Codec, openCodec } from '../event-log/codec/codec.ts';
import { folderSchemas } from '../event-log/codec/folder-schemas.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { openMemoryEventLog } from '../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../event-log/memory/memory-store.ts';
import { holds } from '../platform/pub-sub-contract.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import { LogTail, TailBehindError } from './log-tail.ts';

const STREAM = 'room-r';

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

  function open(from: ReadonlyMap<number, number>, tried: Pick<Codec, 'tryDecode' | 'learn'> = codec): void {
    const onEvent = ({ metadata }: { metadata: { version: number } }): number => handed.push(metadata.version);
    const logger = pino({ level: 'silent' });
    tail = new LogTail({ eventLog: log, codec: tried, wants: () => wanted, onEvent, logger }, from);
  }

  const encoded = (text: string) => ({ key: STREAM, value: codec.encode(room.next('ada', made.said(text))) });

  it('RT-25 hands on what is wanted from the checkpoint on, and tells how far it has seen', async () => {
    await log.append(0, 0, [encoded('one'), encoded('two'), encoded('three')]);
    open(new Map([[0, 1]]));
    void tail.run();
    await tail.catchUp(0);
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
    void tail.run();
    await tail.catchUp(0);
    assert.equal(tail.recordsSeen(0), 1);
  });

  it('RT-25 passes over a record that cannot be read', async () => {
    await log.append(0, 0, [encoded('one'), { key: STREAM, value: Buffer.from('poison') }, encoded('two')]);
    open(new Map());
    void tail.run();
    await tail.catchUp(0);
    assert.deepEqual(handed, [1, 2]);
  });

  it('RT-25 waits for a schema that cannot be had now instead of passing over the record', async () => {
    let attempts = 0;
    await log.append(0, 0, [encoded('one')]);
    open(new Map(), {
      tryDecode: (value) => (attempts < 2 ? { unknownSchema: 99 } : codec.tryDecode(value)),
      learn: async () => {
        attempts += 1;
        if (attempts < 2) throw new Error('the registry is away');
      },
    });
    void tail.run();
    await holds(() => handed.length > 0);
    assert.deepEqual(handed, [1]);
  });

  it('RT-6 catching up has an end when the tail stands still', async () => {
    open(new Map());
    await log.append(0, 0, [encoded('one')]);
    await assert.rejects(tail.catchUp(0), TailBehindError);
  });
});
