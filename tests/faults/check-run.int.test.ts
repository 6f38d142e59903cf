// The checker on real servers: its readers find what the product wrote, its fold means what the product's folds mean, and a fault
// that is planted behind everybody's back is found.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { after, before, describe, it } from 'mocha';
import { openCodec } from '../../event-log/codec/codec.ts';
import { registrySchemas } from '../../event-log/codec/registry-schemas.ts';
import type { EventLog } from '../../event-log/event-log.ts';
import { openPostgresEventLog } from '../../event-log/postgres/postgres-event-log.ts';
import { openRedis, type RedisClient } from '../../platform/redis.ts';
import { foldRuns } from '../../projections/cache/fold-runs.ts';
import { createRedisRoomCache } from '../../projections/cache/redis-room-cache.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { runSql } from '../support/fresh-database.ts';
import { goldenEvents } from '../support/golden-events.ts';
import { type HistoryHarness, openHistoryHarness, silent, toRecords } from '../support/history-harness.ts';
import { openKafkaHarness } from '../support/kafka-harness.ts';
import { stackEnv } from '../support/stack-env.ts';
import { checkRun, type Report, type RunToCheck } from './check-run.ts';
import { type LoggedEvent, readLog } from './read-log.ts';
import { arbitrarySteps, runOfSteps, type SimulatedRun } from './simulated-run.ts';

describe('the independent reader', () => {
  it('FLT-17 on Kafka, reads what counts, and passes over void records, barriers and duplicates', async () => {
    const harness = await openKafkaHarness(2);
    try {
      const { log, topic } = harness;
      const registryUrl = stackEnv.schemaRegistryUrl();
      const codec = await openCodec(registrySchemas({ url: registryUrl, topic }));
      const toRecord = (event: ChatEvent) => ({ key: event.metadata.stream, value: codec.encode(event) });
      const events = Object.values(goldenEvents);
      const written: LoggedEvent[] = [];
      const append = async (partition: number, batch: ChatEvent[]) => {
        const head = await log.head(partition);
        assert.equal((await log.append(partition, head, batch.map(toRecord))).kind, 'appended');
        for (const [index, event] of batch.entries()) {
          written.push({ partition, offset: head + index, key: event.metadata.stream, event });
        }
      };
      const start = await log.head(0);
      await append(0, events);
      // The same batch once more, as a network may deliver it, and one of a writer that did not know of it.
      assert.equal((await (await harness.openAnother()).append(0, start, events.map(toRecord))).kind, 'conflict');
      await log.barrier(0);
      await writeForeign(topic, await log.head(0));
      await append(1, [...events].reverse());
      const noise = await log.head(0);
      await log.append(0, noise, [{ key: 'room-1', value: Buffer.from('noise') }]);
      await append(0, [goldenEvents.MessageSent]);
      await log.barrier(0);

      const read = await readLog({
        kind: 'kafka',
        brokers: stackEnv.kafkaBrokers(),
        registryUrl,
        topic,
        partitions: 2,
      });
      assert.deepEqual(byPlace(read.events), byPlace(written));
      assert.deepEqual(
        read.unreadable.map(({ partition, offset }) => [partition, offset]),
        [[0, noise]],
      );
      assert.deepEqual(read.heads.get(0), await log.head(0));
      await assert.rejects(
        readLog({ kind: 'kafka', brokers: stackEnv.kafkaBrokers(), registryUrl, topic, partitions: 3 }),
        /has 2 partitions/,
      );
    } finally {
      await harness.close();
    }
  }).timeout(60_000);
});

describe('a run on real servers', () => {
  let harness: HistoryHarness;
  let redis: RedisClient;
  let folder: string;

  before(async () => {
    harness = await openHistoryHarness();
    redis = openRedis({ ...stackEnv.redis(), connectionName: 'checker-test' }, silent);
    await new Promise((resolve) => redis.once('ready', resolve));
    folder = await mkdtemp(join(tmpdir(), 'roomlog-check-'));
  });

  after(async () => {
    await rm(folder, { recursive: true });
    redis.disconnect();
    await harness.close();
  });

  /** Writes the run with the product's own log, projection and cache, and checks it with `spoil` in between. */
  async function check(run: SimulatedRun, spoil: (place: RunToCheck) => Promise<unknown>): Promise<Report> {
    const schema = `test_log_${randomUUID().replaceAll('-', '')}`;
    const prefix = `test:${randomUUID()}[*]:`;
    const databaseUrl = stackEnv.databaseUrl();
    const log = await openPostgresEventLog({ databaseUrl, schema, partitions: 2, logger: silent });
    const historyFile = join(folder, 'history.jsonl');
    const [history = '', bookkeeping = ''] = harness.schemas.keys();
    try {
      await fillLog(log, harness, run);
      await project(harness, run);
      await cacheRooms(redis, prefix, harness, run);
      await writeFile(historyFile, run.history.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
      const place: RunToCheck = {
        historyFile,
        log: { kind: 'postgres', url: databaseUrl, schema },
        databaseUrl,
        redis: { ...stackEnv.redis(), prefix },
        schemas: { history, bookkeeping },
      };
      await spoil(place);
      return await checkRun(place);
    } finally {
      await log.close();
      await runSql(databaseUrl, `drop schema ${schema} cascade`);
      await createRedisRoomCache({ redis, prefix }).clear();
    }
  }

  it('FLT-1 law: what the product writes of a run that went right has no violation', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrarySteps, async (steps) => {
        const run = runOfSteps(steps);
        const report = await check(run, async () => undefined);
        assert.deepEqual(report.violations, []);
        assert.equal(report.events, run.log.events.length);
        assert.equal(report.frames, run.history.filter(({ kind }) => kind === 'received').length);
      }),
      { numRuns: 12 },
    );
  }).timeout(60_000);

  it('FLT-2 faults that are planted in the log, the tables and the cache are found', async () => {
    const run = runOfSteps([]);
    const found = async (spoil: (place: RunToCheck) => Promise<unknown>) => {
      const { violationsByCheck } = await check(run, spoil);
      return Object.keys(violationsByCheck);
    };
    const sql = (statement: (schemas: { log: string; history: string; bookkeeping: string }) => string) => {
      return ({ log, schemas }: RunToCheck) => {
        assert.ok(log.kind === 'postgres' && schemas);
        return runSql(stackEnv.databaseUrl(), statement({ log: log.schema, ...schemas }));
      };
    };
    assert.deepEqual(await found(sql(({ history }) => `delete from ${history}.memberships where user_id = 'bob'`)), [
      'tables',
    ]);
    assert.deepEqual(
      await found(sql(({ bookkeeping }) => `update ${bookkeeping}.projection_checkpoints set next_offset = 1`)),
      ['projection'],
    );
    assert.deepEqual(await found(({ redis: at }) => redis.sadd(`${at?.prefix}members:red`, 'eve')), ['cache']);
    assert.deepEqual(await found(({ redis: at }) => redis.hset(`${at?.prefix}room:red`, 'v', 2)), ['cache']);
    const lost = await found(
      sql(({ log }) => `update ${log}.records set value = null where partition = 1 and "offset" = 2`),
    );
    assert.ok(lost.includes('commands') && lost.includes('tables'), lost.join());
  }).timeout(60_000);

  it('FLT-18 as a program it prints the report, and its exit code is the verdict', async () => {
    await check(runOfSteps([]), async ({ historyFile, log, databaseUrl, redis: at, schemas }) => {
      assert.ok(log.kind === 'postgres' && at && schemas);
      const args = [historyFile, '--database', databaseUrl, '--log-schema', log.schema];
      args.push('--history-schema', schemas.history, '--bookkeeping-schema', schemas.bookkeeping);
      const good = await runProgram([...args, '--redis', `${at.host}:${at.port}`, '--prefix', at.prefix]);
      assert.equal(good.code, 0);
      assert.match(good.output, /^\d+ operations, .*\nNo violation found\.\n$/);
      assert.deepEqual(await runProgram([...args, '--redis', 'here:1']), { code: 2, output: '--prefix is missing\n' });
      await runSql(databaseUrl, `delete from ${schemas.history}.rooms`);
      const bad = await runProgram(args);
      assert.equal(bad.code, 1);
      assert.match(bad.output, /VIOLATIONS: 2 of tables/);
    });
  }).timeout(60_000);
});

async function runProgram(args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('check.ts', import.meta.url)), ...args]);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

/** Records that claim their place and are none: without a value, with another's offset, without any. */
async function writeForeign(topic: string, head: number): Promise<void> {
  const kafka = new kafkajs.Kafka({ brokers: stackEnv.kafkaBrokers(), logLevel: kafkajs.logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  const messages = [
    { value: null, headers: { 'predicted-offset': String(head) } },
    { value: 'foreign', headers: { 'predicted-offset': String(head) } },
    { value: 'foreign', headers: { 'predicted-offset': [String(head + 2), String(head + 2)] } },
    { value: 'foreign' },
  ];
  await producer.send({ topic, messages: messages.map((message) => ({ key: 'room-1', partition: 0, ...message })) });
  await producer.disconnect();
}

function byPlace(events: LoggedEvent[]): LoggedEvent[] {
  return events.toSorted((left, right) => left.partition - right.partition || left.offset - right.offset);
}

/** Every event where the run has it; what does not count there is a barrier here. */
async function fillLog(log: EventLog, { codec }: HistoryHarness, { log: read }: SimulatedRun): Promise<void> {
  for (const [partition, head] of read.heads) {
    for (let offset = 0; offset < head; offset++) {
      const logged = read.events.find((one) => one.partition === partition && one.offset === offset);
      if (logged === undefined) await log.barrier(partition);
      else await log.append(partition, offset, [{ key: logged.key, value: codec.encode(logged.event) }]);
    }
  }
}

/** As the projector hands it to the sink: in two chunks. */
async function project(harness: HistoryHarness, run: SimulatedRun): Promise<void> {
  const sink = harness.openSink({ partitions: 2 });
  // The first time makes the tables.
  await sink.load([0, 1]);
  await harness.clear();
  await sink.load([0, 1]);
  for (const chunk of chunksOf(harness, run)) assert.equal(await sink.write(chunk), 'written');
}

/** Rooms come in at the beginning, empty, and take in what happens, as they would from a snapshot. */
async function cacheRooms(
  redis: RedisClient,
  prefix: string,
  harness: HistoryHarness,
  run: SimulatedRun,
): Promise<void> {
  const cache = createRedisRoomCache({ redis, prefix });
  await cache.start(new Map([...run.log.heads.keys()].map((partition) => [partition, 0])));
  const rooms = new Map(run.log.events.map(({ partition, event }) => [event.roomId, partition]));
  for (const [roomId, partition] of rooms) {
    await cache.open(roomId, partition);
    const empty = { checkpoint: 0, version: 0, messages: [], hasOlder: false, memberIds: [] };
    assert.ok(await cache.fill({ roomId, partition, ...empty }));
  }
  for (const chunk of chunksOf(harness, run)) assert.equal(await cache.apply(foldRuns(chunk)), 'written');
}

/** One of each partition. */
function chunksOf({ codec }: HistoryHarness, { log }: SimulatedRun) {
  return [...log.heads].map(([partition, to]) => ({
    moves: new Map([[partition, { from: 0, to }]]),
    records: log.events
      .filter((logged) => logged.partition === partition)
      .flatMap(({ event, offset }) => toRecords(codec, [event], offset, partition)),
  }));
}
