// How fast the history is rebuilt from a log of real chat, beside plain COPY of the same rows, and what live reads notice of it. Starts
// a PostgreSQL of its own in a temporary folder, which is removed at the end.
//
//   npx node bench/rebuild.ts --file irc-chat.jsonl.gz [--events 2000000] [--seconds 20]
import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { createGunzip } from 'node:zlib';
import { openCodec } from '../event-log/codec/codec.ts';
import { folderSchemas } from '../event-log/codec/folder-schemas.ts';
import type { NewRecord } from '../event-log/event-log.ts';
import { partitionOf } from '../event-log/partition-of.ts';
import { openPostgresEventLog } from '../event-log/postgres/postgres-event-log.ts';
import { childEnv } from '../ops/config.ts';
import { systemClock } from '../platform/clock.ts';
import { uuidv7Ids } from '../platform/ids.ts';
import { createLogger } from '../platform/logger.ts';
import { createMetrics } from '../platform/metrics.ts';
import { openDatabase } from '../platform/postgres.ts';
import { startPostgresServer } from '../platform/postgres-server.ts';
import { decodeWith } from '../projections/decode-records.ts';
import { openHistorySink } from '../projections/history/open-history-sink.ts';
import { createProjectionMetrics } from '../projections/metrics.ts';
import { buildIndexes } from '../projections/replay/build-indexes.ts';
import { createBuild, dropBuild, schemaOfBuild } from '../projections/replay/builds.ts';
import { flipBuild } from '../projections/replay/flip.ts';
import { foldInto, headsOf } from '../projections/replay/fold-into.ts';
import { replayedHistory } from '../projections/replay/replayed-projection.ts';
import { createQueries } from '../read-api/queries/queries.ts';
import { streamOfRoom } from '../schemas/commands.ts';
import type { ChatEvent } from '../schemas/generated/events.ts';

const { values } = parseArgs({
  options: {
    file: { type: 'string', default: 'irc-chat.jsonl.gz' },
    events: { type: 'string', default: '2000000' },
    seconds: { type: 'string', default: '20' },
  },
});
const [wanted, readSeconds] = [Number(values.events), Number(values.seconds)];
const PARTITIONS = 4;
const LINES_OF_ROOM = 2_000;
const APPEND_EVENTS = 1_000;
const DECODED = 300_000;
const TABLES = ['rooms', 'memberships', 'invitations', 'messages', 'room_events'];

const logger = createLogger('bench', 'error');
const dir = await mkdtemp(join(tmpdir(), 'roomlog-bench-'));
// The server may run as another user.
await chmod(dir, 0o777);
const server = await startPostgresServer({ dataDir: join(dir, 'postgres') });
const codec = await openCodec(folderSchemas());
const log = await openPostgresEventLog({ databaseUrl: server.databaseUrl, partitions: PARTITIONS, logger });
const db = openDatabase(
  { url: server.databaseUrl, poolMax: 12, applicationName: 'bench', statementTimeoutMs: 600_000 },
  logger,
);
const decode = decodeWith(codec);
const deps = { db, log, decode, clock: systemClock, logger, maxParkedStreams: 100 };
const projection = replayedHistory();
try {
  const filledAt = performance.now();
  const events = await fill();
  say(`log: ${n(events)} events in ${PARTITIONS} partitions, filled at ${rate(events, filledAt)}`);
  await prepareLive();
  await decodeOnly();
  let last = 0;
  let best = 0;
  for (const lanes of [1, 2, 4]) {
    if (last > 0) await dropBuild(db, projection, last);
    const measured = await rebuild(lanes, events);
    last = measured.build;
    best = Math.max(best, measured.perSecond);
  }
  const plain = await plainCopy(last, events);
  say(`ratio to plain COPY: ${(best / plain).toFixed(2)}`);
  await flipBuild(deps, projection, last);
  await liveReads();
} finally {
  await db.destroy();
  await log.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
}

/** The file again and again, each time into other rooms; a room is a run of lines of one channel. */
async function fill(): Promise<number> {
  const queues = Array.from({ length: PARTITIONS }, () => ({ offset: 0, records: [] as NewRecord[] }));
  const flush = async (partition: number): Promise<void> => {
    const queue = queues[partition];
    if (queue === undefined || queue.records.length === 0) return;
    const records = queue.records.splice(0);
    const outcome = await log.append(partition, queue.offset, records);
    if (outcome.kind !== 'appended') throw new Error('somebody else writes to the log of this benchmark');
    queue.offset += records.length;
  };
  let events = 0;
  for (let copy = 0; events < wanted; copy += 1) {
    for await (const event of eventsOfFile(copy)) {
      const partition = partitionOf(event.metadata.stream, PARTITIONS);
      queues[partition]?.records.push({ key: event.metadata.stream, value: codec.encode(event) });
      events += 1;
      if (events % APPEND_EVENTS === 0) await Promise.all(queues.map((_, at) => flush(at)));
    }
  }
  await Promise.all(queues.map((_, at) => flush(at)));
  return events;
}

type Line = { room: string; at: string; type: string; user: string; text?: string };

async function* eventsOfFile(copy: number): AsyncGenerator<ChatEvent> {
  const input = createReadStream(values.file);
  const text = values.file.endsWith('.gz') ? input.pipe(createGunzip()) : input;
  let [roomId, members, version, number] = ['', new Set<string>(), 0, 0];
  let channel = '';
  for await (const line of createInterface({ input: text, crlfDelay: Number.POSITIVE_INFINITY })) {
    const { room, at, type, user, text: said = '' } = JSON.parse(line) as Line;
    const actor = { userId: user, username: user };
    const next = (): ChatEvent['metadata'] => {
      version += 1;
      const [eventId, commandId] = [uuidv7Ids.next(), uuidv7Ids.next()];
      const common = { eventId, commandId, correlationId: commandId, actor, onBehalfOf: null };
      return { ...common, stream: streamOfRoom(roomId), version, occurredAt: Date.parse(at) };
    };
    if (room !== channel || number % LINES_OF_ROOM === 0) {
      [channel, roomId, members, version] = [room, uuidv7Ids.next(), new Set([user]), 0];
      yield {
        type: 'RoomCreated',
        metadata: next(),
        roomId,
        spaceId: `space-${copy}`,
        name: room,
        description: '',
        isPrivate: false,
      };
    }
    number += 1;
    if (!members.has(user)) {
      members.add(user);
      yield { type: 'MemberJoined', metadata: next(), roomId, ...actor } as ChatEvent;
    }
    if (type !== 'message' && type !== 'action') continue;
    const message = said.replaceAll('\0', '');
    yield {
      type: 'MessageSent',
      metadata: next(),
      roomId,
      messageId: uuidv7Ids.next(),
      text: message,
      replyTo: null,
      originalTime: null,
    };
  }
}

/** Live tables, empty: what a build takes the place of. */
async function prepareLive(): Promise<void> {
  const { schema: historySchema, bookkeepingSchema } = projection;
  const metrics = createProjectionMetrics(createMetrics());
  await openHistorySink({ ...deps, historySchema, bookkeepingSchema, partitions: PARTITIONS, codec, metrics }).load([
    0,
  ]);
}

async function decodeOnly(): Promise<void> {
  const batches = [];
  let count = 0;
  const readAt = performance.now();
  for await (const { records } of log.read(0, 0, Math.min(DECODED, await log.head(0)))) {
    batches.push(records);
    count += records.length;
  }
  const readFigure = rate(count, readAt);
  const decodedAt = performance.now();
  for (const records of batches) await decode(records);
  say(`decode only: ${rate(count, decodedAt)} of ${n(count)} events in memory; reading them took ${readFigure}`);
}

async function rebuild(lanes: number, events: number): Promise<{ build: number; perSecond: number }> {
  const { number } = await createBuild(db, projection, { purpose: 'rebuild', fill: 'copy', atMs: Date.now() });
  const memory: number[] = [];
  const sampling = setInterval(() => memory.push(Math.round(process.memoryUsage().rss / 1e6)), 1_000);
  const processor = process.cpuUsage();
  const begunAt = performance.now();
  await foldInto(deps, { projection, build: number, way: 'copy', to: await headsOf(log), lanes });
  const copied = rate(events, begunAt);
  const { user, system } = process.cpuUsage(processor);
  await buildIndexes(db, projection, schemaOfBuild(projection, number));
  const perSecond = events / ((performance.now() - begunAt) / 1_000);
  clearInterval(sampling);
  const tenths = Array.from({ length: 10 }, (_, at) => memory[Math.floor((at * memory.length) / 10)] ?? 0);
  say(
    `rebuild, ${lanes} at once: ${n(perSecond)} events/s (copying ${copied}, then indexes), ` +
      `${((user + system) / events).toFixed(1)} µs of this process an event, load ${loadavg()[0]?.toFixed(1)}`,
  );
  say(`  resident MB over the run: ${tenths.join(' ')}`);
  return { build: number, perSecond };
}

/** The same rows, from files on the server's side, into the same kind of tables; then the same indexes. */
async function plainCopy(build: number, events: number): Promise<number> {
  const from = schemaOfBuild(projection, build);
  const { number } = await createBuild(db, projection, { purpose: 'rebuild', fill: 'copy', atMs: Date.now() });
  const schema = schemaOfBuild(projection, number);
  for (const table of TABLES) await db.raw(`copy "${from}".${table} to '${dir}/${table}' (format binary)`);
  const begunAt = performance.now();
  for (const table of TABLES) await db.raw(`copy "${schema}".${table} from '${dir}/${table}' (format binary)`);
  const copied = rate(events, begunAt);
  await buildIndexes(db, projection, schema);
  const perSecond = events / ((performance.now() - begunAt) / 1_000);
  say(`plain COPY: ${n(perSecond)} rows/s (copying ${copied}, then indexes), load ${loadavg()[0]?.toFixed(1)}`);
  await dropBuild(db, projection, number);
  return perSecond;
}

/** Reads of the live tables by turns without and with a governed rebuild of its own process beside them. */
async function liveReads(): Promise<void> {
  const without = await readFor(readSeconds);
  say(`live reads without a rebuild: ${figures(without)}`);
  const main = new URL('../ops/replay/main.ts', import.meta.url).pathname;
  const args = [main, 'rebuild', 'history', '--no-verify', '--no-flip'];
  const env = childEnv({ DATABASE_URL: server.databaseUrl, KAFKA_BROKERS: undefined, REDIS_HOST: undefined });
  const child = spawn(process.execPath, args, { env, stdio: 'ignore' });
  const before = await progressOfNewest((done) => done > 0);
  const beside = await readFor(readSeconds);
  const done = (await progressOfNewest(() => true)) - before;
  child.kill('SIGKILL');
  say(`… beside a governed rebuild: ${figures(beside)}; it did ${n(done)} events meanwhile`);
  say(`p99 ratio: ${(percentile(beside, 0.99) / percentile(without, 0.99)).toFixed(2)}`);
}

/** How many offsets the newest build has, as soon as `isEnough` says so. */
async function progressOfNewest(isEnough: (done: number) => boolean): Promise<number> {
  for (;;) {
    const { rows } = await db.raw<{ rows: { done: number | null }[] }>(
      `select (progress->>'done')::float8 as done from roomlog.projection_builds order by build desc limit 1`,
    );
    const done = rows[0]?.done ?? 0;
    if (isEnough(done)) return done;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function readFor(seconds: number): Promise<number[]> {
  const queries = createQueries({ db });
  const { rows } = await db.raw<{ rows: { room_id: string }[] }>('select room_id from history_v1.rooms');
  const took: number[] = [];
  const endAt = performance.now() + seconds * 1_000;
  const reader = async (): Promise<void> => {
    while (performance.now() < endAt) {
      const roomId = rows[Math.floor(Math.random() * rows.length)]?.room_id ?? '';
      const begunAt = performance.now();
      if (took.length % 2 === 0) await queries.messagePage(roomId, { newest: true }, 50);
      else await queries.roomFor(roomId, 'nobody');
      took.push(performance.now() - begunAt);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  await Promise.all([reader(), reader(), reader()]);
  return took.sort((left, right) => left - right);
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
}

function figures(sorted: readonly number[]): string {
  const [p50, p99] = [percentile(sorted, 0.5), percentile(sorted, 0.99)];
  return `${n(sorted.length)} reads, p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`;
}

function rate(count: number, since: number): string {
  return `${n(count / ((performance.now() - since) / 1_000))}/s`;
}

function n(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function say(text: string): void {
  console.log(text);
}
