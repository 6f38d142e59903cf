// Copies of the log in files, made and read by the verbs as processes.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { after, afterEach, before, describe, it } from 'mocha';
import type { EventLog } from '../../../event-log/event-log.ts';
import { partitionOf } from '../../../event-log/partition-of.ts';
import { runCommand } from '../../../platform/run-command.ts';
import { decodeWith } from '../../../projections/decode-records.ts';
import type { ChatEvent } from '../../../schemas/generated/events.ts';
import { EVENT_NAMESPACE } from '../../../schemas/load.ts';
import { arbitraryHistory } from '../../../tests/support/arbitraries.ts';
import { assertRefused, type CliLog, historyOfRooms, openCliLogs } from '../../../tests/support/cli-logs.ts';
import { openHistoryHarness } from '../../../tests/support/history-harness.ts';
import { runReplay } from '../../../tests/support/replay-cli.ts';
import { stackEnv } from '../../../tests/support/stack-env.ts';

const PYTHON_READER = fileURLToPath(new URL('../../../tests/support/read_container.py', import.meta.url));
const LOBBY = partitionOf('room-lobby', 2);

const run = (args: string[], { settings }: CliLog) => runReplay(['events', ...args], settings);

async function eventsByStream({ log, codec }: CliLog): Promise<Map<string, ChatEvent[]>> {
  const byStream = new Map<string, ChatEvent[]>();
  for (let partition = 0; partition < log.partitions; partition++) {
    for await (const { records } of log.read(partition, 0, await log.head(partition))) {
      for (const { key, value } of records) {
        assert.equal(partitionOf(key, log.partitions), partition);
        byStream.set(key, [...(byStream.get(key) ?? []), codec.decode(value)]);
      }
    }
  }
  return byStream;
}

/** Every row that the history has when it is folded from that log, but for the number of the partition. */
async function historyRows({ log, codec }: CliLog): Promise<Record<string, unknown[]>> {
  const history = await openHistoryHarness();
  try {
    const sink = history.openSink({ partitions: log.partitions });
    const partitions = Array.from({ length: log.partitions }, (_, partition) => partition);
    await sink.load(partitions);
    const decode = decodeWith(codec);
    for (const partition of partitions) await foldPartition(log, partition, decode, sink);
    const { rooms = [], ...others } = await history.allRows();
    return { ...others, rooms: rooms.map((row) => ({ ...(row as object), partition: null })) };
  } finally {
    await history.close();
  }
}

async function foldPartition(
  log: EventLog,
  partition: number,
  decode: ReturnType<typeof decodeWith>,
  sink: ReturnType<Awaited<ReturnType<typeof openHistoryHarness>>['openSink']>,
): Promise<void> {
  let from = 0;
  for await (const { records, nextOffset: to } of log.read(partition, 0, await log.head(partition))) {
    const contents = await decode(records);
    const chunk = records.map((record, at) => ({ partition, record, content: contents[at] ?? { fault: 'none' } }));
    await sink.write({ records: chunk, moves: new Map([[partition, { from, to }]]) });
    from = to;
  }
}

describe('replay events in files', () => {
  let folder: string;
  const logs = openCliLogs('PostgreSQL');

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'roomlog-export-'));
  });
  afterEach(() => logs.close());
  after(() => rm(folder, { recursive: true }));

  for (const kind of ['PostgreSQL', 'Kafka'] as const) {
    it(`REPLAY-85 REPLAY-89 gives a log of another size on ${kind} the same events, and the same history`, async () => {
      const logs = openCliLogs(kind);
      try {
        const [source, target] = [await logs.open(3), await logs.open(5)];
        const [history = []] = fc.sample(arbitraryHistory({ minLength: 200, maxLength: 250 }), {
          numRuns: 1,
          seed: 11,
        });
        await source.append(history);
        await source.log.barrier(1);
        await source.append(historyOfRooms(['lobby', 'attic']));
        await target.log.barrier(2);
        const file = join(folder, `whole-${kind}.avro`);
        const exported = await run(['export', file], source);
        assert.equal(exported.exit, 0, exported.stderr);
        assert.equal((await run(['import', file], target)).exit, 0);
        const wanted = await eventsByStream(source);
        assert.ok(wanted.size >= 4);
        assert.deepEqual(await eventsByStream(target), wanted);
        assert.deepEqual(await historyRows(target), await historyRows(source));
      } finally {
        await logs.close();
      }
    }).timeout(90_000);
  }

  it('REPLAY-85 exports one room, between versions', async () => {
    const log = await logs.open();
    await log.append(historyOfRooms(['lobby', 'attic', 'cellar', 'hall']));
    const file = join(folder, 'room.avro');
    const { exit, stdout, stderr } = await run(
      ['export', file, '--room', 'lobby', '--from', '2', '--to', '3', '--force'],
      log,
    );
    assert.equal(exit, 0, stderr);
    assert.match(stdout, /: 2 records in /);
  }).timeout(60_000);

  it('REPLAY-86 keeps a file that is there, and leaves none when it is told to end', async () => {
    const log = await logs.open();
    await log.append(historyOfRooms(['lobby']));
    const file = join(folder, 'there.avro');
    await writeFile(file, 'mine');
    await assertRefused(4, /is there already/, ['events', ...['export', file]], log.settings);
    assert.equal(await readFile(file, 'utf8'), 'mine');
    assert.equal((await run(['export', file, '--force'], log)).exit, 0);
    assert.notEqual(await readFile(file, 'utf8'), 'mine');
    await assertRefused(
      2,
      /cannot be written/,
      ['events', ...['export', join(folder, 'nowhere', 'x.avro')]],
      log.settings,
    );
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.includes('.part')),
      [],
    );
  }).timeout(60_000);

  it('REPLAY-87 imports into no log that holds an event', async () => {
    const log = await logs.open();
    await log.append(historyOfRooms(['lobby']));
    const file = join(folder, 'nonempty.avro');
    assert.equal((await run(['export', file], log)).exit, 0);
    const heads = await Promise.all([0, 1].map((partition) => log.log.head(partition)));
    await assertRefused(
      4,
      new RegExp(`partition ${LOBBY} has a record at offset 0`),
      ['events', ...['import', file]],
      log.settings,
    );
    assert.deepEqual(await Promise.all([0, 1].map((partition) => log.log.head(partition))), heads);
  }).timeout(60_000);

  it('REPLAY-88 imports nothing of a file that is not whole or not ours', async () => {
    const [source, target] = [await logs.open(), await logs.open()];
    await source.append(historyOfRooms(['lobby', 'attic']));
    const file = join(folder, 'source.avro');
    assert.equal((await run(['export', file], source)).exit, 0);
    const bytes = await readFile(file);
    const wrong = join(folder, 'wrong.avro');
    for (const [content, pattern] of [
      [bytes.subarray(0, -1), /is not whole/],
      [Buffer.from('{"json": true}'), /not an Avro object container file/],
      [Buffer.alloc(0), /not an Avro object container file/],
    ] as const) {
      await writeFile(wrong, content);
      await assertRefused(2, pattern, ['events', ...['import', wrong]], target.settings);
    }
    await assertRefused(
      2,
      /cannot be read/,
      ['events', ...['import', join(folder, 'no-such-file.avro')]],
      target.settings,
    );
    await assertRefused(2, /is not a file/, ['events', ...['import', folder]], target.settings);
    const late = join(folder, 'late.avro');
    assert.equal((await run(['export', late, '--room', 'lobby', '--from', '2'], source)).exit, 0);
    await assertRefused(
      2,
      /is version 2 of room-lobby, where 1 .* is next; --as-is/,
      ['events', ...['import', late]],
      target.settings,
    );
    assert.deepEqual(await Promise.all([0, 1].map((partition) => target.log.head(partition))), [0, 0]);
    assert.equal((await run(['import', late, '--as-is'], target)).exit, 0);
    assert.equal((await eventsByStream(target)).get('room-lobby')?.length, 3);
  }).timeout(90_000);

  it('REPLAY-88 carries what is no event along as it lies there, if that is asked for', async () => {
    const [source, target] = [await logs.open(), await logs.open()];
    await source.append(historyOfRooms(['lobby']));
    const poison = { key: 'room-lobby', value: Buffer.from('poison') };
    await source.log.append(LOBBY, await source.log.head(LOBBY), [poison]);
    const file = join(folder, 'poison.avro');
    const exported = await run(['export', file], source);
    assert.match(exported.stdout, /1 of them are no events/);
    await assertRefused(2, /is no event of this build/, ['events', ...['import', file]], target.settings);
    assert.equal((await run(['import', file, '--as-is'], target)).exit, 0);
    const found: string[] = [];
    for await (const { records } of target.log.read(LOBBY, 4, 5))
      found.push(...records.map(({ value }) => value.toString()));
    assert.deepEqual(found, ['poison']);
  }).timeout(60_000);

  it('REPLAY-85 writes a file that a reader of nothing of ours decodes', async () => {
    const log = await logs.open();
    const events = historyOfRooms(['lobby', 'attic']);
    await log.append(events);
    await log.log.append(LOBBY, await log.log.head(LOBBY), [{ key: 'room-x', value: Buffer.from('poison') }]);
    const file = join(folder, 'python.avro');
    assert.equal((await run(['export', file, '--force'], log)).exit, 0);
    const output = join(folder, 'python.jsonl');
    await runCommand(stackEnv.python(), [PYTHON_READER, file, output], { timeoutMs: 30_000 });
    const lines = (await readFile(output, 'utf8')).trimEnd().split('\n');
    const records = lines.map((line) => JSON.parse(line) as { key: string; event: unknown });
    assert.equal(records.length, events.length + 1);
    for (const stream of ['room-lobby', 'room-attic']) {
      assert.deepEqual(
        records.filter(({ key }) => key === stream).map(({ event }) => event),
        events
          .filter(({ metadata }) => metadata.stream === stream)
          .map(({ type, ...event }) => [`${EVENT_NAMESPACE}.${type}`, event]),
      );
    }
    assert.equal(records.find(({ key }) => key === 'room-x')?.event, Buffer.from('poison').toString('hex'));
  }).timeout(60_000);
});
