import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { until } from '../event-log/contract/log-probe.ts';
import { type EventLog, OffsetOutOfRangeError } from '../event-log/event-log.ts';
import type { ConnectionFaults } from '../event-log/event-log-contract.ts';
import { openMemoryEventLog } from '../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../event-log/memory/memory-store.ts';
import { createMetrics } from '../platform/metrics.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import { silent } from '../tests/support/history-harness.ts';
import { Away, MemorySink } from '../tests/support/memory-sink.ts';
import type { Decode } from './decode-records.ts';
import { createProjectionMetrics } from './metrics.ts';
import { Projector } from './projector.ts';

const someEvent = roomHistory('lobby').next('ada', made.room());
const decode: Decode = async (records) => records.map(() => ({ event: someEvent }));

describe('a projector', () => {
  let store: MemoryStore;
  let log: EventLog;
  let faults: ConnectionFaults;
  let sink: MemorySink;
  const running: { projector: Projector; run: Promise<void> }[] = [];

  beforeEach(() => {
    store = new MemoryStore(2);
    ({ log, faults } = openMemoryEventLog(store));
    sink = new MemorySink();
  });

  afterEach(async () => {
    for (const { projector, run } of running.splice(0)) {
      await projector.stop();
      await run;
    }
    await log.close();
  });

  function open(options: { maxRecords?: number; decode?: Decode } = {}): Projector {
    const metrics = createProjectionMetrics(createMetrics());
    return new Projector({ name: 'test', log, decode, sink, maxRecords: 10, logger: silent, metrics, ...options });
  }

  function start(options?: { maxRecords?: number; decode?: Decode }): Projector {
    const projector = open(options);
    running.push({ projector, run: projector.run() });
    return projector;
  }

  function append(partition: number, count: number): void {
    const records = Array.from({ length: count }, () => ({ key: 'room-lobby', value: Buffer.from('x') }));
    store.append(partition, store.head(partition), records);
  }

  const upTo = (end: number): number[] => Array.from({ length: end }, (_, offset) => offset);

  it('hands every record to the sink, in order in each partition', async () => {
    append(0, 35);
    start();
    append(1, 12);
    await until('all is written', () => sink.checkpoints.get(0) === 35 && sink.checkpoints.get(1) === 12);
    append(0, 5);
    await until('what comes later too', () => sink.checkpoints.get(0) === 40);
    assert.deepEqual(sink.offsets, [upTo(40), upTo(12)]);
    assert.ok(sink.sizes.every((size) => size < 20));
  });

  it('moves the checkpoint over records that do not count', async () => {
    append(0, 2);
    store.barrier(0);
    start();
    await until('the barrier is passed', () => sink.checkpoints.get(0) === 3);
    assert.deepEqual(sink.offsets[0], [0, 1]);
  });

  it('PROJ-5 tries again for ever while the sink is away, and says so', async () => {
    const projector = start();
    await until('it follows', () => isReady(projector));
    sink.isAway = true;
    append(0, 3);
    await until('it has tried three times', () => sink.attempts >= 3);
    assert.throws(() => projector.check(), Away);
    sink.isAway = false;
    await until('all is written', () => sink.checkpoints.get(0) === 3);
    assert.deepEqual(sink.offsets[0], [0, 1, 2]);
    projector.check();
  });

  it('PROJ-5 waits for a sink that is away at the start', async () => {
    sink.isAway = true;
    const projector = start();
    append(0, 1);
    assert.equal(isReady(projector), false);
    sink.isAway = false;
    await until('it is written', () => sink.checkpoints.get(0) === 1);
  });

  it('PROJ-4 goes on from the other one after a fence, without writing anything twice', async () => {
    append(0, 3);
    start();
    await until('it has begun', () => sink.checkpoints.get(0) === 3);
    // Another projector writes the next four.
    sink.checkpoints.set(0, 7);
    append(0, 6);
    await until('it goes on behind them', () => sink.checkpoints.get(0) === 9);
    assert.deepEqual(sink.offsets[0], [0, 1, 2, 7, 8]);
  });

  it('PROJ-4 two of them together write everything once', async () => {
    start();
    start();
    append(0, 30);
    await until('the first part is written', () => sink.checkpoints.get(0) === 30);
    append(0, 30);
    await until('all is written', () => sink.checkpoints.get(0) === 60);
    assert.deepEqual(sink.offsets[0], upTo(60));
  });

  it('goes on when the log comes back', async () => {
    append(0, 2);
    start();
    await until('it has begun', () => sink.checkpoints.get(0) === 2);
    await faults.refuse();
    append(0, 2);
    await faults.accept();
    await until('it goes on', () => sink.checkpoints.get(0) === 4);
    assert.deepEqual(sink.offsets[0], [0, 1, 2, 3]);
  });

  it('tries a batch again whose schema cannot be asked for now', async () => {
    let isRegistryAway = true;
    let attempts = 0;
    append(0, 1);
    start({
      decode: async (records) => {
        attempts += 1;
        if (isRegistryAway) throw new Away('no registry');
        return decode(records);
      },
    });
    await until('it has tried twice', () => attempts >= 2);
    isRegistryAway = false;
    await until('it is written', () => sink.checkpoints.get(0) === 1);
  });

  it('fails where the log has lost what comes next', async () => {
    append(0, 5);
    store.deleteBelow(0, 3);
    await assert.rejects(open().run(), OffsetOutOfRangeError);
  });

  it('fails on a bug of the sink instead of going round in circles', async () => {
    append(0, 1);
    sink.write = () => Promise.reject(new TypeError('a bug'));
    await assert.rejects(open().run(), TypeError);
  });

  it('stops while it waits for a sink that is away', async () => {
    sink.isAway = true;
    const projector = open();
    const run = projector.run();
    await until('it has failed once', () => !isReady(projector));
    await projector.stop();
    await run;
  });
});

function isReady(projector: Projector): boolean {
  try {
    projector.check();
    return true;
  } catch {
    // It says why, which is another test's subject.
    return false;
  }
}
