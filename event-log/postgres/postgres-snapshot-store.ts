// The snapshot store on PostgreSQL: a table in the log's schema. A write is a statement for every mebibyte, one after the other; a read
// is a cursor in one snapshot of the database.
import assert, { AssertionError } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type pg from 'pg';
import type { Logger } from '../../platform/logger.ts';
import {
  MAX_SNAPSHOT_VALUE_BYTES,
  type SnapshotEntry,
  type SnapshotStore,
  SnapshotStoreError,
} from '../snapshot-store.ts';
import { WriteTurns } from '../write-turns.ts';
import { toByteaArray, toTextArray } from './binary-arrays.ts';
import { type ConnectionOptions, endClient, openClient, openPool, withConnection } from './connections.ts';
import { toLogFailure } from './log-failures.ts';

export type PostgresSnapshotStoreOptions = {
  databaseUrl: string;
  logger: Logger;
  /** The log's own schema. */
  schema?: string;
  /** Milliseconds until a statement must be answered. Default 3,000. */
  requestTimeoutMs?: number;
};

/** Writes and reads at a time, of as many partitions; more wait for CONNECT_TIMEOUT_MS. */
const CONNECTIONS = 4;
const CONNECT_TIMEOUT_MS = 2_000;
const DEFAULT_SCHEMA = 'roomlog_log';
/** Bounds of one statement; a single entry may be half of that. */
const WRITE_BYTES = 2 * MAX_SNAPSHOT_VALUE_BYTES;
const WRITE_ENTRIES = 1_000;
/** Entries of one piece that is read; most are of a few kilobytes. */
const READ_ENTRIES = 100;

const DDL = readFileSync(new URL('./snapshot-schema.sql', import.meta.url), 'utf8');

/** Opens the store and creates what is missing. Throws LogUnavailableError. */
export async function openPostgresSnapshotStore(options: PostgresSnapshotStoreOptions): Promise<SnapshotStore> {
  const { databaseUrl, schema = DEFAULT_SCHEMA, requestTimeoutMs = 3_000 } = options;
  assert.match(schema, /^[a-z_][a-z0-9_]{0,49}$/, 'the schema must be a plain PostgreSQL name');
  const connection = {
    databaseUrl,
    schema,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    answerTimeoutMs: requestTimeoutMs,
  };
  const client = await openClient(connection);
  try {
    await client.query('begin');
    // Two processes that start at the same time: "if not exists" alone lets both try, and one of them fail.
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`roomlog event log ${schema}`]);
    await client.query(`create schema if not exists "${schema}"`);
    await client.query(DDL);
    await client.query('commit');
  } catch (error) {
    throw toLogFailure(error);
  } finally {
    await endClient(client);
  }
  return new PostgresSnapshotStore(connection, options.logger);
}

/** The newest value of each key counts. One statement, hence all of it or nothing, and one round trip. */
const WRITE = `
with given as (
  select key, value from unnest($2::text[], $3::bytea[]) as entry (key, value)
), gone as (
  delete from snapshots using given
   where snapshots.partition = $1::integer and snapshots.key = given.key and given.value is null
)
insert into snapshots (partition, key, value)
select $1::integer, key, value from given where value is not null
on conflict (partition, key) do update set value = excluded.value`;

class PostgresSnapshotStore implements SnapshotStore {
  readonly #pool: pg.Pool;
  readonly #turns = new WriteTurns();
  #closing: Promise<void> | undefined;

  constructor(connection: ConnectionOptions, logger: Logger) {
    this.#pool = openPool(connection, CONNECTIONS, (error) => logger.warn({ err: error }, 'snapshot connection broke'));
  }

  async write(partition: number, entries: readonly SnapshotEntry[]): Promise<void> {
    assertPartition(partition);
    await this.#turns.take(partition, async () => {
      for (const batch of batchesOf(entries)) {
        const keys = toTextArray([...batch.keys()]);
        const values = toByteaArray([...batch.values()]);
        const query = { name: 'write-snapshots', text: WRITE, values: [partition, keys, values] };
        await withConnection(this.#pool, (client) => client.query(query), toStoreFailure);
      }
    });
  }

  async *read(partition: number): AsyncGenerator<readonly SnapshotEntry[]> {
    assertPartition(partition);
    const client = await this.#connect();
    let isWhole = false;
    try {
      await client.query('begin isolation level repeatable read, read only');
      // A cursor takes no parameters; the partition is an integer.
      await client.query(
        `declare entries no scroll cursor for select key, value from snapshots where partition = ${partition}`,
      );
      while (true) {
        const { rows } = await client.query<SnapshotEntry>(`fetch forward ${READ_ENTRIES} from entries`);
        if (rows.length === 0) break;
        yield rows;
      }
      await client.query('commit');
      isWhole = true;
    } catch (error) {
      throw toStoreFailure(error);
    } finally {
      // A connection whose read was broken off still has its transaction; it is closed instead of given back.
      client.release(!isWhole);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#pool.end();
    return this.#closing;
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw toStoreFailure(error);
    }
  }
}

/** In their order, each key once with its last value: a statement cannot change one row twice. */
function* batchesOf(entries: readonly SnapshotEntry[]): Generator<Map<string, Buffer | null>> {
  let batch = new Map<string, Buffer | null>();
  let bytes = 0;
  for (const { key, value } of entries) {
    const size = value?.length ?? 0;
    assert.ok(size <= MAX_SNAPSHOT_VALUE_BYTES, `the value of ${key} has ${size} bytes`);
    if (batch.size >= WRITE_ENTRIES || (batch.size > 0 && bytes + size > WRITE_BYTES)) {
      yield batch;
      batch = new Map();
      bytes = 0;
    }
    batch.set(key, value);
    bytes += size;
  }
  if (batch.size > 0) yield batch;
}

/** Whatever it was, snapshots are disposable: nobody does anything about it but try again later. */
function toStoreFailure(error: unknown): unknown {
  if (error instanceof SnapshotStoreError || error instanceof AssertionError) return error;
  return new SnapshotStoreError('PostgreSQL did not do what snapshots need', { cause: error });
}

function assertPartition(partition: number): void {
  assert.ok(Number.isSafeInteger(partition) && partition >= 0, `${partition} is no partition`);
}
