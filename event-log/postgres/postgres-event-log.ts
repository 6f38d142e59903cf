// The event log's port on PostgreSQL, for running without Kafka. A head row per partition decides every append: the update that
// moves it names the offset it expects, which is the compare-and-set that Kafka has not (docs/decisions/0001-predicted-offsets.md).
import assert from 'node:assert/strict';
import type pg from 'pg';
import type { Logger } from '../../platform/logger.ts';
import {
  type AppendResult,
  type BatchOf,
  type EventLog,
  type FollowOptions,
  type InspectedBatch,
  type InspectedRecord,
  type LogBatch,
  type LogFollower,
  type LogRecord,
  LogUnavailableError,
  type NewRecord,
  OffsetOutOfRangeError,
} from '../event-log.ts';
import { type ConnectionOptions, endClient, openClient, openPool, withConnection } from './connections.ts';
import { HeadNotifier, HeadWatch } from './head-watch.ts';
import { toAppendFailure, toLogFailure } from './log-failures.ts';
import { PartitionFollower } from './partition-follower.ts';
import { prepareSchema } from './prepare-schema.ts';
import { RecentRecords } from './recent-records.ts';
import { appendRecords, insertBarrier, type Row, selectHead, selectOffsetAt, selectRows } from './statements.ts';

export type PostgresEventLogOptions = {
  databaseUrl: string;
  /** How many partitions a new log gets; an existing one keeps its own number. */
  partitions: number;
  logger: Logger;
  /** The log's own schema, also the name of its NOTIFY channel. */
  schema?: string;
  /** Milliseconds until an append must be answered, once it has a connection. */
  appendTimeoutMs?: number;
  /** Milliseconds until everything else must be answered. */
  requestTimeoutMs?: number;
  /** Milliseconds until a connection must stand or one of the pool must come free. */
  connectTimeoutMs?: number;
  /** Appends at a time, of as many partitions; more wait for connectTimeoutMs. */
  appendConnections?: number;
  /** Reads at a time. */
  readConnections?: number;
  /** Bounds of a batch that is handed out; a single record may be larger. */
  batchRecords?: number;
  batchBytes?: number;
};

const DEFAULTS = {
  schema: 'roomlog_log',
  appendTimeoutMs: 1_200,
  requestTimeoutMs: 5_000,
  connectTimeoutMs: 1_000,
  appendConnections: 6,
  readConnections: 4,
  batchRecords: 1_000,
  batchBytes: 1024 * 1024,
};

/** Opens the log and creates what is missing. Throws LogUnavailableError or LogSettingsError. */
export async function openPostgresEventLog(given: PostgresEventLogOptions): Promise<EventLog> {
  const options = { ...DEFAULTS, ...given };
  assert.match(options.schema, /^[a-z_][a-z0-9_]{0,49}$/, 'the schema must be a plain PostgreSQL name');
  assert.ok(Number.isSafeInteger(options.partitions) && options.partitions > 0);
  const connection = connectionOf(options, options.requestTimeoutMs);
  const client = await openClient(connection);
  try {
    const partitions = await prepareSchema(client, options.schema, options.partitions);
    return new PostgresEventLog(partitions, options);
  } catch (error) {
    throw toLogFailure(error);
  } finally {
    await endClient(client);
  }
}

type Options = typeof DEFAULTS & PostgresEventLogOptions;
type Range = { partition: number; from: number; to: number };
type ToRecords<R> = (rows: readonly Row[]) => R[];

class PostgresEventLog implements EventLog {
  readonly partitions: number;
  readonly #options: Options;
  /** Appends have connections of their own, so that no read, however long, makes one wait. */
  readonly #appends: pg.Pool;
  readonly #reads: pg.Pool;
  readonly #watch: HeadWatch;
  readonly #notifier: HeadNotifier;
  readonly #recent = new RecentRecords();
  readonly #followers = new Set<LogFollower>();
  readonly #appending = new Set<number>();
  #closing: Promise<void> | undefined;

  constructor(partitions: number, options: Options) {
    const { schema: channel, logger } = options;
    const onBroken = (error: Error) => logger.warn({ err: error }, 'event log connection broke');
    this.partitions = partitions;
    this.#options = options;
    this.#appends = openPool(connectionOf(options, options.appendTimeoutMs), options.appendConnections, onBroken);
    this.#reads = openPool(connectionOf(options, options.requestTimeoutMs), options.readConnections, onBroken);
    this.#watch = new HeadWatch({ connection: connectionOf(options, options.requestTimeoutMs), channel, logger });
    this.#notifier = new HeadNotifier({ runner: this.#reads, channel, logger });
  }

  async append(partition: number, expectedOffset: number, records: readonly NewRecord[]): Promise<AppendResult> {
    this.#assertPartition(partition);
    assert.ok(Number.isSafeInteger(expectedOffset) && expectedOffset >= 0);
    assert.ok(records.length > 0, 'an append needs records');
    assert.ok(!this.#appending.has(partition), 'one append per partition may be in flight');
    this.#assertOpen();
    this.#appending.add(partition);
    try {
      const appendedAt = await withConnection(
        this.#appends,
        (client) => appendRecords(client, partition, expectedOffset, records),
        toAppendFailure,
      );
      if (appendedAt === null) return { kind: 'conflict', head: await this.head(partition) };
      const confirmed = records.map(({ key, value }, index) => ({
        offset: expectedOffset + index,
        key,
        value,
        appendedAt,
      }));
      this.#recent.add(partition, confirmed);
    } finally {
      this.#appending.delete(partition);
    }
    this.#tellHead(partition, expectedOffset + records.length);
    return { kind: 'appended', firstOffset: expectedOffset };
  }

  async barrier(partition: number): Promise<number> {
    this.#assertPartition(partition);
    this.#assertOpen();
    const offset = await withConnection(this.#appends, (client) => insertBarrier(client, partition), toLogFailure);
    this.#tellHead(partition, offset + 1);
    return offset;
  }

  async head(partition: number): Promise<number> {
    this.#assertPartition(partition);
    this.#assertOpen();
    const head = await withConnection(this.#reads, (client) => selectHead(client, partition), toLogFailure);
    this.#watch.noteHead(partition, head);
    return head;
  }

  offsetAt(partition: number, timeMs: number): Promise<number> {
    this.#assertPartition(partition);
    this.#assertOpen();
    return withConnection(this.#reads, (client) => selectOffsetAt(client, partition, timeMs), toLogFailure);
  }

  read(partition: number, from: number, to: number): AsyncIterable<LogBatch> {
    return this.#readRange({ partition, from, to }, toCounting);
  }

  inspect(partition: number, from: number, to: number): AsyncIterable<InspectedBatch> {
    return this.#readRange({ partition, from, to }, toInspected);
  }

  async *#readRange<R>({ partition, from, to }: Range, toRecords: ToRecords<R>): AsyncIterable<BatchOf<R>> {
    for (let next = from; next < to; ) {
      const batch = await this.#readBatch({ partition, from: next, to }, toRecords);
      if (batch.nextOffset === next) {
        throw new OffsetOutOfRangeError(`partition ${partition} ends at ${batch.head}: there is nothing up to ${to}`);
      }
      yield batch;
      next = batch.nextOffset;
    }
  }

  follow(options: FollowOptions): LogFollower {
    for (const partition of options.from.keys()) this.#assertPartition(partition);
    const follower = new PartitionFollower(
      {
        readBatch: (partition, from) => this.#readBatch({ partition, from, to: Number.MAX_SAFE_INTEGER }, toCounting),
        recentBatch: (partition, from) => this.#recentBatch(partition, from),
        watch: this.#watch,
        logger: this.#options.logger,
      },
      options,
    );
    const tracked: LogFollower = {
      run: async () => {
        this.#assertOpen();
        this.#followers.add(follower);
        await follower.run().finally(() => this.#followers.delete(follower));
      },
      stop: () => follower.stop(),
      add: (partition, from) => {
        this.#assertPartition(partition);
        follower.add(partition, from);
      },
      remove: (partition) => follower.remove(partition),
    };
    return tracked;
  }

  /** Stops followers once their batches in hand are handled, lets statements in flight end, and closes every connection. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    await Promise.all([...this.#followers].map((follower) => follower.stop()));
    await this.#watch.stop();
    await this.#notifier.stop();
    await Promise.all([this.#appends.end(), this.#reads.end()]);
  }

  #recentBatch(partition: number, from: number): LogBatch | null {
    const { batchRecords, batchBytes } = this.#options;
    const records = this.#recent.from(partition, from, batchRecords, batchBytes);
    if (records === null) return null;
    const nextOffset = from + records.length;
    return { partition, records, nextOffset, head: Math.max(nextOffset, this.#watch.headOf(partition)) };
  }

  async #readBatch<R>({ partition, from, to }: Range, toRecords: ToRecords<R>): Promise<BatchOf<R>> {
    this.#assertPartition(partition);
    this.#assertOpen();
    const { batchRecords: maxRows, batchBytes: maxBytes } = this.#options;
    const range = { partition, from, to, maxRows, maxBytes };
    const { head, rows } = await withConnection(this.#reads, (client) => selectRows(client, range), toLogFailure);
    this.#watch.noteHead(partition, head);
    return { partition, records: toRecords(rows), nextOffset: (rows.at(-1)?.offset ?? from - 1) + 1, head };
  }

  #tellHead(partition: number, head: number): void {
    this.#watch.noteHead(partition, head);
    this.#notifier.tell(partition, head);
  }

  #assertPartition(partition: number): void {
    assert.ok(
      Number.isSafeInteger(partition) && partition >= 0 && partition < this.partitions,
      `partition ${partition}`,
    );
  }

  #assertOpen(): void {
    if (this.#closing) throw new LogUnavailableError('the log is closed');
  }
}

/** No record lands elsewhere than expected here, so all but barriers count. */
function toCounting(rows: readonly Row[]): LogRecord[] {
  return rows.flatMap(({ value, ...row }) => (value === null ? [] : [{ ...row, value }]));
}

function toInspected(rows: readonly Row[]): InspectedRecord[] {
  return rows.map((row) => ({ ...row, is: row.value === null ? 'barrier' : 'event' }));
}

function connectionOf(options: Options, answerTimeoutMs: number): ConnectionOptions {
  const { databaseUrl, schema, connectTimeoutMs } = options;
  return { databaseUrl, schema, connectTimeoutMs, answerTimeoutMs };
}
