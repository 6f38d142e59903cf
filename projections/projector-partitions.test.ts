import assert from 'node:assert/strict';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { gate, until } from '../event-log/contract/log-probe.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { openMemoryEventLog } from '../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../event-log/memory/memory-store.ts';
import { createMetrics, type Metrics } from '../platform/metrics.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import { silent } from '../tests/support/history-harness.ts';
import { MemorySink } from '../tests/support/memory-sink.ts';
import { createProjectionMetrics } from './metrics.ts';
import { Projector } from './projector.ts';

const PARTITIONS = 3;
const someEvent = roomHistory('lobby').next('ada', made.room());

describe('the partitions of a projector', () => {
  let store: MemoryStore;
  let log: EventLog;
  let sink: MemorySink;
  let metrics: Metrics;
  const running: { projector: Projector; run: Promise<void> }[] = [];

  beforeEach(begin);
  afterEach(end);

  function begin(): void {
    store = new MemoryStore(PARTITIONS);
    ({ log } = openMemoryEventLog(store));
    sink = new MemorySink(PARTITIONS);
  }

  async function end(): Promise<void> {
    for (const { projector, run } of running.splice(0)) {
      await projector.stop();
      await run;
    }
    await log.close();
  }

  function start(partitions: readonly number[]): Projector {
    metrics = createMetrics();
    const projector = new Projector({
      name: 'test',
      log,
      decode: async (records) => records.map(() => ({ event: someEvent })),
      sink,
      maxRecords: 10,
      logger: silent,
      metrics: createProjectionMetrics(metrics),
      partitions,
    });
    running.push({ projector, run: projector.run() });
    return projector;
  }

  function append(partition: number, count = 1): void {
    const records = Array.from({ length: count }, () => ({ key: 'room-lobby', value: Buffer.from('x') }));
    store.append(partition, store.head(partition), records);
  }

  const isAt = (partition: number, offset: number) => () => sink.checkpoints.get(partition) === offset;
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, offset) => offset);

  it('PROJ-17 works on those it has, and rests and is ready without any', async () => {
    const projector = start([]);
    append(0, 3);
    append(1, 3);
    await until('it has begun', () => sink.loaded.length > 0);
    await until('it is ready', () => isReady(projector));
    projector.assign([1]);
    await until('its own is written', isAt(1, 3));
    projector.assign([]);
    append(1);
    await until('it has heard of it', () => sink.loaded.at(-1)?.length === 0);
    await until('it is ready', () => isReady(projector));
    assert.deepEqual(sink.offsets, [[], upTo(3), []]);
  });

  it('PROJ-17 follows what it gains from the checkpoint, and goes on with what it keeps', async () => {
    sink.checkpoints.set(2, 4);
    append(0, 3);
    append(2, 6);
    const projector = start([0]);
    await until('the first is written', isAt(0, 3));
    projector.assign([0, 2]);
    await until('the gained one is written', isAt(2, 6));
    append(0, 2);
    await until('the kept one goes on', isAt(0, 5));
    assert.deepEqual(sink.offsets, [upTo(5), [], [4, 5]]);
  });

  it('PROJ-17 lets the chunk end that is being written, and begins nothing more of what it has lost', async () => {
    const { opened, open } = gate();
    sink.beforeWrite = () => opened;
    const projector = start([0, 1]);
    append(0, 2);
    await until('a chunk is being written', () => sink.attempts === 1);
    append(0, 2);
    append(1, 2);
    projector.assign([1]);
    open();
    await until('the kept one is written', isAt(1, 2));
    assert.deepEqual(sink.offsets, [upTo(2), upTo(2), []]);
  });

  it('PROJ-17 gives a chunk up that it could not write when the partition goes', async () => {
    const projector = start([0]);
    await until('it has begun', () => sink.loaded.length > 0);
    sink.isAway = true;
    append(0, 2);
    await until('it tries', () => sink.attempts >= 2);
    projector.assign([1]);
    sink.isAway = false;
    append(1);
    await until('its own is written', isAt(1, 1));
    assert.deepEqual(sink.offsets, [[], [0], []]);
  });

  it('PROJ-17 does not begin anew when it is told what it knows', async () => {
    const projector = start([0, 1]);
    append(0);
    await until('it has begun', isAt(0, 1));
    projector.assign([1, 0]);
    append(0);
    await until('it goes on', isAt(0, 2));
    assert.equal(sink.loaded.length, 1);
  });

  it('PROJ-19 goes on with the others while one is taken from it time and again', async () => {
    const seen: number[] = [];
    sink.beforeWrite = ({ moves }) => {
      const stolen = moves.get(1);
      if (stolen === undefined) return;
      seen.push(stolen.from);
      sink.checkpoints.set(1, stolen.to);
    };
    start([0, 1]);
    const appendBoth = (): void => {
      append(0);
      append(1);
    };
    // The first fence after a partition came is over in a moment, the next one is not.
    await until('it was fenced twice', () => {
      appendBoth();
      return seen.length === 2;
    });
    for (let turn = 0; turn < 10; turn++) {
      appendBoth();
      await until('the other one goes on', isAt(0, store.head(0)));
    }
    assert.equal(seen.length, 2, 'the contested one was not left alone meanwhile');
    assert.deepEqual(sink.offsets[0], upTo(store.head(0)));
  });

  it('PROJ-19 comes back to a contested partition when the other one has stopped there', async () => {
    append(0, 3);
    start([0]);
    await until('it has begun', isAt(0, 3));
    for (let fences = 0; fences < 2; fences++) {
      sink.checkpoints.set(0, store.head(0) + 1);
      append(0, 2);
      await until('it goes on behind the other one', isAt(0, store.head(0)), 3_000);
    }
  });

  it('PROJ-7 PROJ-17 counts its own partitions and their lag only', async () => {
    const gauge = async (name: string): Promise<number | undefined> =>
      (await metrics.getSingleMetric(name)?.get())?.values.find(({ labels }) => labels.projection === 'test')?.value;
    const projector = start([0, 1]);
    append(0);
    await until('it has begun', isAt(0, 1));
    sink.isAway = true;
    append(0, 4);
    append(1, 5);
    await until('it lags behind', async () => (await gauge('roomlog_projection_lag_events')) === 9);
    assert.equal(await gauge('roomlog_projection_partitions'), 2);
    projector.assign([1]);
    assert.equal(await gauge('roomlog_projection_partitions'), 1);
    assert.equal(await gauge('roomlog_projection_lag_events'), 5);
    sink.isAway = false;
    await until('it has caught up', async () => (await gauge('roomlog_projection_lag_events')) === 0);
  });

  const someOf = fc.subarray([0, 1, 2]);
  const step = fc.oneof(
    fc.record({ kind: fc.constant('append' as const), partition: fc.nat(2), count: fc.integer({ min: 1, max: 25 }) }),
    fc.record({ kind: fc.constant('assign' as const), who: fc.nat(2), partitions: someOf }),
    fc.record({ kind: fc.constant('away' as const) }),
    fc.record({ kind: fc.constant('wait' as const), turns: fc.integer({ min: 1, max: 30 }) }),
  );

  it('PROJ-18 law: whatever they are told, all together write everything once and in order', async function () {
    this.timeout(120_000);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        await end();
        begin();
        const projectors = [start([0]), start([1, 2]), start([0, 1, 2])];
        for (const at of steps) {
          if (at.kind === 'append') append(at.partition, at.count);
          else if (at.kind === 'assign') projectors[at.who]?.assign(at.partitions);
          else if (at.kind === 'away') sink.isAway = !sink.isAway;
          else for (let turn = 0; turn < at.turns; turn++) await new Promise((resolve) => setImmediate(resolve));
        }
        sink.isAway = false;
        for (const [at, projector] of projectors.entries()) projector.assign([at, (at + 1) % PARTITIONS]);
        for (let partition = 0; partition < PARTITIONS; partition++) {
          const head = store.head(partition);
          await until(`partition ${partition} is written`, isAt(partition, head));
          assert.deepEqual(sink.offsets[partition], upTo(head));
        }
      }),
      { numRuns: 20 },
    );
  });
});

function isReady(projector: Projector): boolean {
  try {
    projector.check();
    return true;
  } catch {
    // It has not begun yet.
    return false;
  }
}
