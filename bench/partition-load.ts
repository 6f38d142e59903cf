// How long a partition of a million events takes from run() to its first decision, with a snapshot and without, on the servers that
// the environment names. Each figure is taken in a process of its own, as the one of a node that has just started.
//
//   node bench/partition-load.ts [kafka|postgres] [--events 1000000] [--rooms 1000] [--members 100]
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { Registry } from 'prom-client';
import { createCommandMetrics } from '../commands/metrics.ts';
import { PartitionOwner } from '../commands/partition-owner.ts';
import { openCodec } from '../event-log/codec/codec.ts';
import { folderSchemas } from '../event-log/codec/folder-schemas.ts';
import type { EventLog, NewRecord } from '../event-log/event-log.ts';
import { openKafkaEventLog } from '../event-log/kafka/kafka-event-log.ts';
import { openKafkaSnapshotStore } from '../event-log/kafka/kafka-snapshot-store.ts';
import { snapshotTopicOf } from '../event-log/open-snapshot-store.ts';
import { openPostgresEventLog } from '../event-log/postgres/postgres-event-log.ts';
import { openPostgresSnapshotStore } from '../event-log/postgres/postgres-snapshot-store.ts';
import type { SnapshotStore } from '../event-log/snapshot-store.ts';
import { uuidv7Ids } from '../platform/ids.ts';
import { createLogger } from '../platform/logger.ts';
import { systemTime } from '../platform/time.ts';
import { type Command, streamOfRoom } from '../schemas/commands.ts';
import type { ChatEvent } from '../schemas/generated/events.ts';
import { isRejection } from '../schemas/rejections.ts';
import { withKafkaAdmin } from '../tests/support/kafka-harness.ts';
import { stackEnv } from '../tests/support/stack-env.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    events: { type: 'string', default: '1000000' },
    rooms: { type: 'string', default: '1000' },
    members: { type: 'string', default: '100' },
    name: { type: 'string', default: `bench_${randomBytes(4).toString('hex')}` },
    phase: { type: 'string', default: 'all' },
  },
});
const [way = 'kafka'] = positionals;
const [events, rooms, members] = [Number(values.events), Number(values.rooms), Number(values.members)];
const { name, phase } = values;
const logger = createLogger('bench', 'warn');
const codec = await openCodec(folderSchemas());
const APPEND_EVENTS = 1_000;
const DAY_MS = 24 * 3_600_000;

if (phase === 'all') {
  console.log(`${way}: ${events} events, ${rooms} rooms of ${members} members`);
  for (const next of [
    'fill',
    'from-log',
    'from-log',
    'write-snapshot',
    'from-snapshot',
    'from-snapshot',
    'from-snapshot',
  ])
    await inOwnProcess(next);
  await drop();
} else {
  const log = await openLog();
  if (phase === 'fill') await fill(log);
  else await load(log, phase === 'from-log' ? null : await openStore(), phase);
  process.exit(0);
}

async function inOwnProcess(next: string): Promise<void> {
  const args = [import.meta.filename, way, '--phase', next, '--name', name];
  const sizes = ['--events', String(events), '--rooms', String(rooms), '--members', String(members)];
  const child = spawn(process.execPath, [...args, ...sizes], { stdio: 'inherit' });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) process.exit(1);
}

function openLog(): Promise<EventLog> {
  if (way === 'postgres') return openPostgresEventLog({ ...onPostgres(), partitions: 1 });
  return openKafkaEventLog({ ...onKafka(), topic: `${name}.events` });
}

function openStore(): Promise<SnapshotStore> {
  if (way === 'postgres') return openPostgresSnapshotStore(onPostgres());
  return openKafkaSnapshotStore({ ...onKafka(), topic: snapshotTopicOf(`${name}.events`) });
}

async function drop(): Promise<void> {
  if (way !== 'postgres') {
    const topics = [`${name}.events`, snapshotTopicOf(`${name}.events`)];
    await withKafkaAdmin((admin) => admin.deleteTopics({ topics }));
    return;
  }
  const client = new pg.Client(stackEnv.databaseUrl());
  await client.connect();
  await client.query(`drop schema ${name} cascade`);
  await client.end();
}

function onPostgres() {
  return { databaseUrl: stackEnv.databaseUrl(), schema: name, logger };
}

function onKafka() {
  return { brokers: stackEnv.kafkaBrokers(), partitions: 1, replicationFactor: 1, clientId: 'bench', log: logger };
}

/** Rooms are made, then joined, then people speak in all of them by turns: the last day's events are a third. */
async function fill(log: EventLog): Promise<void> {
  const versions = new Map<string, number>();
  const began = Date.now() - 3 * DAY_MS;
  let records: NewRecord[] = [];
  for (let index = 0; index < events; index++) {
    const roomId = `0199c0de-0000-7000-8000-${String(index % rooms).padStart(12, '0')}`;
    const stream = streamOfRoom(roomId);
    const version = (versions.get(stream) ?? 0) + 1;
    versions.set(stream, version);
    const userId = `user-${String((index % rooms) * 7 + (version % members)).padStart(12, '0')}`;
    const event = eventOf(roomId, userId, version, Math.round(began + (index / events) * 3 * DAY_MS));
    records.push({ key: stream, value: codec.encode(event) });
    if (records.length < APPEND_EVENTS && index < events - 1) continue;
    const result = await log.append(0, index + 1 - records.length, records);
    if (result.kind !== 'appended') throw new Error('somebody else writes to the log of this benchmark');
    records = [];
  }
}

function eventOf(roomId: string, userId: string, version: number, occurredAt: number): ChatEvent {
  const actor = { userId, username: `User ${userId.slice(-6)}` };
  const [eventId, commandId, correlationId] = [uuidv7Ids.next(), uuidv7Ids.next(), uuidv7Ids.next()];
  const stream = streamOfRoom(roomId);
  const metadata = { eventId, stream, version, actor, onBehalfOf: null, occurredAt, commandId, correlationId };
  if (version === 1) {
    return { type: 'RoomCreated', metadata, roomId, spaceId: 's', name: 'A room', description: '', isPrivate: false };
  }
  if (version <= members) return { type: 'MemberJoined', metadata, roomId, ...actor, invitedBy: null };
  const text = 'x'.repeat(100);
  return {
    type: 'MessageSent',
    metadata,
    roomId,
    messageId: uuidv7Ids.next(),
    text,
    replyTo: null,
    originalTime: null,
  };
}

async function load(log: EventLog, snapshots: SnapshotStore | null, what: string): Promise<void> {
  const registry = new Registry();
  const metrics = createCommandMetrics(registry);
  const deps = { log, codec, ids: uuidv7Ids, logger, metrics, written: null, snapshots, time: systemTime };
  const cpu = process.cpuUsage();
  const began = performance.now();
  const owner = new PartitionOwner(0, deps);
  const running = owner.run();
  const deciding = owner.execute(someCommand());
  await owner.loaded();
  const loadedMs = performance.now() - began;
  const answer = await deciding;
  const decidedMs = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  if (isRejection(answer) && answer.rejected !== 'log_unavailable') throw new Error(answer.rejected);
  const figures = `loaded ${Math.round(loadedMs)} ms, first answer ${Math.round(decidedMs)} ms`;
  console.log(`  ${what}: ${figures}, processor ${Math.round((user + system) / 1_000)} ms, ${memory()}`);
  const { promise: isWritten, resolve } = Promise.withResolvers<void>();
  const stopAsking = systemTime.every(100, () => {
    void registry.getMetricsAsJSON().then((found) => {
      const behind = found.find(({ name: metric }) => metric === 'roomlog_commands_events_since_snapshot');
      if (behind?.values.every(({ value }) => value < 10_000)) resolve();
    });
  });
  if (snapshots !== null) await isWritten;
  stopAsking();
  if (what === 'write-snapshot') console.log(`    snapshot written after ${Math.round(performance.now() - began)} ms`);
  // Only the writing phase leaves its state behind; the others end as a killed process does.
  if (what !== 'write-snapshot') return;
  await owner.stop();
  await running;
}

function someCommand(): Command {
  return {
    body: { type: 'JoinRoom', roomId: '0199c0de-0000-7000-8000-000000000000' },
    actor: { userId: 'somebody else', username: 'Somebody' },
    onBehalfOf: null,
    isOperator: false,
    commandId: uuidv7Ids.next(),
    correlationId: 'bench',
    now: Date.now(),
  };
}

function memory(): string {
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  const [mb, heap, buffers] = [rss, heapUsed, arrayBuffers].map((bytes) => Math.round(bytes / 1e6));
  return `${mb} MB resident (heap ${heap}, buffers ${buffers})`;
}
