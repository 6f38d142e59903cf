// Copying told to end, or disturbed, with a log in memory.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { openCodec } from '../../../event-log/codec/codec.ts';
import { folderSchemas } from '../../../event-log/codec/folder-schemas.ts';
import type { EventLog } from '../../../event-log/event-log.ts';
import { openMemoryEventLog } from '../../../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../../../event-log/memory/memory-store.ts';
import { historyOfRooms } from '../../../tests/support/cli-logs.ts';
import type { Cli } from '../cli.ts';
import { EXIT, RefusedError } from '../exits.ts';
import type { Resources } from '../open-resources.ts';
import { Output } from '../output.ts';
import { exportEvents } from './export.ts';
import { importEvents } from './import.ts';

const codec = await openCodec(folderSchemas());

function toCli(log: EventLog, signal = new AbortController().signal): { cli: Cli; said: () => string } {
  let text = '';
  const sink = {
    isTTY: false,
    write: (chunk: string | Uint8Array) => {
      text += String(chunk);
      return true;
    },
  };
  const out = new Output(sink, sink);
  const resources = { eventLog: () => Promise.resolve({ log, codec }) } as unknown as Resources;
  return { cli: { out, resources: () => resources, signal, run: () => Promise.resolve() }, said: () => text };
}

describe('copying the log', () => {
  let folder: string;
  let file: string;
  const source = new MemoryStore(1);
  const open = (store: MemoryStore): EventLog => openMemoryEventLog(store).log;
  const records = historyOfRooms(['lobby', 'attic']).map((event) => ({
    key: event.metadata.stream,
    value: codec.encode(event),
  }));

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'roomlog-copy-'));
    file = join(folder, 'events.avro');
    source.append(0, 0, records);
  });
  after(() => rm(folder, { recursive: true }));

  it('REPLAY-86 leaves no file when it is told to end', async () => {
    const { cli, said } = toCli(open(source), AbortSignal.abort());
    assert.equal(await exportEvents(cli, file, {}), EXIT.interrupted);
    assert.match(said(), /Interrupted: there is no /);
    assert.deepEqual(await readdir(folder), []);
  });

  it('REPLAY-85 leaves out what is written while it runs', async () => {
    const log = open(source);
    const growing: EventLog = Object.assign(Object.create(log) as EventLog, {
      partitions: 1,
      offsetAt: () => Promise.resolve(0),
      head: (partition: number) => log.head(partition),
      async *read(partition: number, from: number, to: number) {
        source.append(0, source.head(0), records.slice(0, 1));
        yield* log.read(partition, from, to);
      },
    });
    assert.equal(await exportEvents(toCli(growing).cli, file, {}), EXIT.done);
    const target = new MemoryStore(3);
    assert.equal(await importEvents(toCli(open(target)).cli, file, {}), EXIT.done);
    const heads = [0, 1, 2].map((partition) => target.head(partition));
    assert.equal(
      heads.reduce((sum, head) => sum + head),
      records.length,
    );
  });

  it('REPLAY-91 says how much of a file is in the log when it is told to end, or disturbed', async () => {
    const stopped = toCli(open(new MemoryStore(1)), AbortSignal.abort());
    assert.equal(await importEvents(stopped.cli, file, {}), EXIT.interrupted);
    assert.match(stopped.said(), /Nothing was imported/);

    const store = new MemoryStore(1);
    const log = open(store);
    let appends = 0;
    const disturbed: EventLog = Object.assign(Object.create(log) as EventLog, {
      partitions: 1,
      head: (partition: number) => log.head(partition),
      offsetAt: () => Promise.resolve(0),
      read: (...range: Parameters<EventLog['read']>) => log.read(...range),
      append: (...[partition, at, batch]: Parameters<EventLog['append']>) => {
        appends += 1;
        store.append(0, store.head(0), records.slice(0, 1));
        return log.append(partition, at, batch);
      },
    });
    await assert.rejects(importEvents(toCli(disturbed).cli, file, {}), (error) => {
      assert.ok(error instanceof RefusedError);
      assert.match(error.message, /somebody else writes .*\. Nothing was imported\.$/);
      return true;
    });
    assert.equal(appends, 1);
  });
});
