import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { EventLog } from '../../../event-log/event-log.ts';
import { openMemoryEventLog } from '../../../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../../../event-log/memory/memory-store.ts';
import { RefusedError } from '../exits.ts';
import { LogFiller } from './log-filler.ts';

const TIMEOUT = { timeoutMs: 40 };

async function textsOf(log: EventLog, partition = 0): Promise<string[]> {
  const texts: string[] = [];
  for await (const { records } of log.read(partition, 0, await log.head(partition)))
    texts.push(...records.map(({ value }) => value.toString()));
  return texts;
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => `record ${index}`);
const record = (text: string) => ({ key: 'room-1', value: Buffer.from(text) });

describe('filling a log', () => {
  it('REPLAY-89 keeps the order of each partition, in appends of bounded size', async () => {
    const store = new MemoryStore(2);
    const { log } = openMemoryEventLog(store);
    const sizes: number[] = [];
    const counting: EventLog = Object.assign(Object.create(log) as EventLog, {
      partitions: 2,
      head: (partition: number) => log.head(partition),
      append: (...[partition, at, records]: Parameters<EventLog['append']>) => {
        sizes.push(records.length);
        return log.append(partition, at, records);
      },
    });
    await log.barrier(1);
    const filler = new LogFiller(counting);
    await filler.begin();
    for (const text of numbers(2_500)) for (const partition of [0, 1]) await filler.add(partition, record(text));
    await filler.end();
    assert.equal(filler.written, 5_000);
    assert.deepEqual(await textsOf(log, 0), numbers(2_500));
    assert.deepEqual(await textsOf(log, 1), numbers(2_500));
    assert.ok(Math.max(...sizes) <= 1_000);
  });

  it('REPLAY-91 writes nothing twice and loses nothing where an append has no answer', async () => {
    for (const fault of ['swallowAnswers', 'swallowRequests'] as const) {
      const store = new MemoryStore(1);
      const { log, faults } = openMemoryEventLog(store, TIMEOUT);
      const filler = new LogFiller(log);
      await filler.begin();
      await filler.add(0, record('record 0'));
      faults[fault]();
      await filler.end();
      for (const text of numbers(1_200).slice(1)) await filler.add(0, record(text));
      await filler.end();
      assert.equal(filler.written, 1_200);
      assert.deepEqual(await textsOf(openMemoryEventLog(store).log), numbers(1_200), fault);
    }
  });

  it('REPLAY-91 stops where somebody else writes', async () => {
    const store = new MemoryStore(1);
    const { log } = openMemoryEventLog(store);
    const filler = new LogFiller(log);
    await filler.begin();
    await log.append(0, 0, [record('another’s')]);
    await filler.add(0, record('ours'));
    await assert.rejects(filler.end(), RefusedError);
    assert.deepEqual(await textsOf(log), ['another’s']);
    assert.equal(filler.written, 0);
  });

  it('REPLAY-91 stops where somebody else wrote while an append had no answer', async () => {
    const store = new MemoryStore(1);
    const { log, faults } = openMemoryEventLog(store, TIMEOUT);
    const filler = new LogFiller(log);
    await filler.begin();
    await filler.add(0, record('ours'));
    faults.swallowRequests();
    const ended = assert.rejects(filler.end(), RefusedError);
    await openMemoryEventLog(store).log.append(0, 0, [record('another’s')]);
    await ended;
    assert.equal(filler.written, 0);
  });
});
