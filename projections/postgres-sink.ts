// Tables in PostgreSQL as a sink: rows, checkpoints and parked records change in one transaction, or not at all.
//
// The transaction does not wait for the disk (synchronous_commit off): after a power cut rows and checkpoint go back together
// to an earlier moment, and the log still has what followed. The sender's acknowledgement never depends on this transaction.
import type { Knex } from 'knex';
import type { Clock } from '../platform/clock.ts';
import { toDatabaseFault } from '../platform/database-faults.ts';
import type { Logger } from '../platform/logger.ts';
import type { Database } from '../platform/postgres.ts';
import { createCheckpoints, labelOf, loadCheckpoints, moveCheckpoints } from './checkpoints.ts';
import type { Decode } from './decode-records.ts';
import { type Discards, loadDiscards, NO_DISCARDS } from './discards.ts';
import { type BookkeepingTables, bookkeepingTables } from './history/tables.ts';
import type { ProjectionMetrics } from './metrics.ts';
import {
  countParkedStreams,
  insertParkedRecords,
  insertParkedStreams,
  listParkedStreams,
  loadFirstOffsets,
  type ParkedStream,
  parkingKeyOf,
} from './parking.ts';
import { describePoison, isPoison, type ReadableRecord, readRecord, toLoggedEvent } from './poison.ts';
import { retryParked } from './retry-parked.ts';
import type { Chunk, ProjectedRecord, Sink, WriteOutcome } from './sink.ts';
import type { TableProjection } from './table-projection.ts';

export type PostgresSinkOptions = {
  db: Database;
  projection: TableProjection;
  /** Creates the projection's tables where they are missing. */
  prepare: () => Promise<void>;
  bookkeepingSchema: string;
  partitions: number;
  decode: Decode;
  clock: Clock;
  logger: Logger;
  metrics: ProjectionMetrics;
  /** More parked streams than this mean that something is wrong with us, not with them: the projector fails. */
  maxParkedStreams: number;
};

/** So many streams had to be parked that going on would only hide the cause. */
export class TooManyParkedStreamsError extends Error {
  override readonly name = 'TooManyParkedStreamsError';
  readonly code = 'too_many_parked_streams';
  readonly retryable = false;
}

/** Rolls the transaction back; never leaves this file. */
class FencedError extends Error {}

/** Milliseconds that the transaction of a chunk may last. Far more than one takes; see BEGIN_CHUNK. */
const CHUNK_MS = 30_000;
/**
 * A process that is frozen between two statements loses its transaction by the connection's own settings
 * (open-projections-database.ts). One that is frozen within a long statement, half of which it has sent, would keep its locks: only
 * PostgreSQL 17 and later can end that one.
 */
const BEGIN_CHUNK = `
  select set_config('synchronous_commit', 'off', true),
         case when current_setting('transaction_timeout', true) is not null
              then set_config('transaction_timeout', ?::text, true) end`;

export class PostgresSink implements Sink {
  readonly #options: PostgresSinkOptions;
  readonly #tables: BookkeepingTables;
  #own: readonly number[] = [];
  #discards: Discards = NO_DISCARDS;
  #parkedStreams = 0;

  constructor(options: PostgresSinkOptions) {
    this.#options = options;
    this.#tables = bookkeepingTables(options.bookkeepingSchema);
  }

  /** How many streams of its own partitions are parked, as far as this process knows. */
  get parkedStreams(): number {
    return this.#parkedStreams;
  }

  /**
   * Tries every parked stream of partitions that it did not have before again: what parked it may be gone with the build or the
   * data that caused it.
   */
  async load(partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const { db, projection, partitions: partitionCount, prepare } = this.#options;
    const gained = partitions.filter((partition) => !this.#own.includes(partition));
    // Only what was tried counts as had: a load that fails halfway tries again.
    this.#own = partitions.filter((partition) => this.#own.includes(partition));
    if (partitions.length === 0) {
      this.#noteParked(0);
      return new Map();
    }
    try {
      await prepare();
      await createCheckpoints(db, this.#tables, projection, partitionCount);
      // Before the parked ones are counted: a chunk that parks one after that moves a checkpoint, and ours is fenced.
      const checkpoints = await loadCheckpoints(db, this.#tables, projection, partitions);
      this.#discards = await loadDiscards(db, this.#tables, projection, partitions);
      for (const { stream } of await listParkedStreams(db, this.#tables, projection, gained))
        await this.#unpark(stream);
      this.#own = partitions;
      this.#noteParked((await countParkedStreams(db, this.#tables, projection, partitions)).own);
      return checkpoints;
    } catch (error) {
      throw toDatabaseFault(error);
    }
  }

  async write(chunk: Chunk): Promise<WriteOutcome> {
    try {
      try {
        await this.#transact(chunk, (tx, records) => this.#writeWhole(tx, records));
      } catch (error) {
        if (!isPoison(error)) throw error;
        await this.#transact(chunk, (tx, records, parking) => this.#writeDivided(tx, records, parking));
      }
      return 'written';
    } catch (error) {
      if (error instanceof FencedError) return 'fenced';
      throw toDatabaseFault(error);
    }
  }

  async #transact(
    chunk: Chunk,
    write: (tx: Knex.Transaction, records: readonly ReadableRecord[], parking: Parking) => Promise<void>,
  ): Promise<void> {
    const { db, projection } = this.#options;
    const { parking, parkedStreams } = await db.transaction(async (tx) => {
      await tx.raw(BEGIN_CHUNK, [CHUNK_MS]);
      if (!(await moveCheckpoints(tx, this.#tables, projection, chunk.moves))) throw new FencedError();
      const records = chunk.records.filter(({ partition, record }) => !this.#discards.has(partition, record.offset));
      const parking = new Parking(await this.#loadParked(tx, records));
      await write(tx, parking.sortOut(records), parking);
      return { parking, parkedStreams: await this.#park(tx, parking) };
    });
    for (const { stream, partition, firstOffset, reason } of parking.newStreams()) {
      this.#options.logger.error(
        { projection: labelOf(projection), stream, partition, firstOffset, reason },
        'a stream was parked',
      );
    }
    this.#noteParked(parkedStreams);
  }

  async #writeWhole(tx: Knex.Transaction, records: readonly ReadableRecord[]): Promise<void> {
    if (records.length > 0) await this.#options.projection.write(tx, records.map(toLoggedEvent));
  }

  /** Halves what cannot be written until the records at fault are alone, then parks them. Order is kept. */
  async #writeDivided(tx: Knex.Transaction, records: readonly ReadableRecord[], parking: Parking): Promise<void> {
    const live = records.filter((record) => !parking.takes(record));
    if (live.length === 0) return;
    try {
      // A transaction inside a transaction is a savepoint.
      await tx.transaction((savepoint) => this.#writeWhole(savepoint, live));
      return;
    } catch (error) {
      if (!isPoison(error)) throw error;
      const [only] = live;
      if (live.length === 1 && only) return parking.park(only, describePoison(error));
    }
    const middle = live.length >> 1;
    await this.#writeDivided(tx, live.slice(0, middle), parking);
    await this.#writeDivided(tx, live.slice(middle), parking);
  }

  /**
   * What is parked of the chunk's streams. Read again for each chunk, behind the checkpoints' locks, because another projector may
   * just have unparked some; only theirs, so that many parked streams do not slow down all others.
   */
  async #loadParked(tx: Knex.Transaction, records: readonly ProjectedRecord[]): Promise<Map<string, number>> {
    if (this.#parkedStreams === 0) return new Map();
    const streams = [...new Set(records.map(({ record }) => parkingKeyOf(record)))];
    return loadFirstOffsets(tx, this.#tables, this.#options.projection, streams);
  }

  /** Resolves with how many streams of the own partitions are parked then. */
  async #park(tx: Knex.Transaction, parking: Parking): Promise<number> {
    const { projection, clock, maxParkedStreams } = this.#options;
    const atMs = clock.now();
    const streams = parking.newStreams().map((stream): ParkedStream => ({ ...stream, atMs }));
    if (streams.length > 0) await insertParkedStreams(tx, this.#tables, projection, streams);
    if (parking.records.length > 0) await insertParkedRecords(tx, this.#tables, projection, parking.records);
    if (this.#parkedStreams === 0 && streams.length === 0) return 0;
    const { own, all } = await countParkedStreams(tx, this.#tables, projection, this.#own);
    if (streams.length > 0 && all > maxParkedStreams) {
      throw new TooManyParkedStreamsError(`more than ${maxParkedStreams} streams cannot be projected`);
    }
    return own;
  }

  /** Projects what was put aside of a stream, as far as it can be. */
  async #unpark(stream: string): Promise<void> {
    const { db, projection, decode, logger } = this.#options;
    const retried = await retryParked(db, { tables: this.#tables, projection, decode }, stream);
    if (retried.kind === 'goesOn') logger.info({ projection: labelOf(projection), stream }, 'a parked stream goes on');
    if (retried.kind === 'staysParked') {
      logger.warn({ projection: labelOf(projection), stream, reason: retried.fault.reason }, 'a stream stays parked');
    }
  }

  #noteParked(count: number): void {
    this.#parkedStreams = count;
    this.#options.metrics.parked(labelOf(this.#options.projection), count);
  }
}

/** What is parked of a chunk's streams, and what its transaction adds to that. */
class Parking {
  readonly records: { partition: number; record: ProjectedRecord['record'] }[] = [];
  readonly #firstOffsetByStream: Map<string, number>;
  readonly #added = new Map<string, Omit<ParkedStream, 'atMs'>>();

  constructor(firstOffsetByStream: Map<string, number>) {
    this.#firstOffsetByStream = firstOffsetByStream;
  }

  newStreams(): Omit<ParkedStream, 'atMs'>[] {
    return [...this.#added.values()];
  }

  /** The records that can be projected; the others are put aside. */
  sortOut(records: readonly ProjectedRecord[]): ReadableRecord[] {
    const readable: ReadableRecord[] = [];
    for (const record of records) {
      if (this.takes(record)) continue;
      const read = readRecord(record);
      if ('fault' in read) this.park(record, read.fault);
      else readable.push(read);
    }
    return readable;
  }

  /** Puts the record aside where its stream is parked from there on, and says whether it did. */
  takes(record: ProjectedRecord): boolean {
    if (this.#firstOffsetByStream.size === 0) return false;
    const firstOffset = this.#firstOffsetByStream.get(parkingKeyOf(record.record));
    if (firstOffset === undefined || record.record.offset < firstOffset) return false;
    this.records.push({ partition: record.partition, record: record.record });
    return true;
  }

  /** Parks the record's stream from this record on. */
  park({ partition, record }: ProjectedRecord, reason: string): void {
    const stream = parkingKeyOf(record);
    this.#firstOffsetByStream.set(stream, record.offset);
    this.#added.set(stream, { stream, partition, firstOffset: record.offset, reason });
    this.records.push({ partition, record });
  }
}
