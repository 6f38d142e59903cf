// Audits one room: is its stream in the log as it must be, and do the tables and the hot cache say what it says?
//
// It reads the room's partition of the log, all that lies in it: records of the room's key that are void are counted, for writers that
// race leave them behind and they are no fault. The tables are looked at in one snapshot, and compared with the events up to the
// checkpoint in it; the hot cache is compared at the version that it is at.
import type { EventLog, InspectedRecord } from '../../event-log/event-log.ts';
import { partitionOf } from '../../event-log/partition-of.ts';
import type { Database } from '../../platform/postgres.ts';
import { queryRows } from '../../platform/sql.ts';
import { streamOfRoom } from '../../schemas/commands.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import type { RoomCache } from '../cache/room-cache.ts';
import type { Decode } from '../decode-records.ts';
import { type Discards, loadDiscards, NO_DISCARDS } from '../discards.ts';
import { bookkeepingTables } from '../history/tables.ts';
import { isTable, type OffsetVector, withLiveSnapshot } from '../replay/live-vector.ts';
import type { ReplayedProjection } from '../replay/replayed-projection.ts';
import { auditCache, type CacheAudit } from './audit-cache.ts';
import { HistoryAudit } from './audit-history.ts';
import { ExpectedRoom } from './expected-room.ts';
import { type Fault, Faults } from './faults.ts';

export type Audit = {
  roomId: string;
  partition: number;
  /** Up to where the log was read. */
  head: number;
  /** Records of the room's key that count. */
  events: number;
  /** Records of the room's key that do not. */
  voids: number;
  /** Records that were discarded by hand: no faults. */
  discarded: number;
  /** Of the last event. */
  version: number;
  /** Up to which offset the tables were compared. */
  checkpoint: number;
  /** Null where there is none that could be asked. */
  cache: CacheAudit | null;
  /** The first ones; `faultCount` are all. */
  faults: Fault[];
  faultCount: number;
};

export type AuditDeps = { db: Database; log: EventLog; decode: Decode; cache: RoomCache | null };
export type AuditOptions = {
  live: ReplayedProjection;
  roomId: string;
  onBegin?: (vector: OffsetVector) => void;
  onChunk?: (chunk: { from: number; to: number }) => void;
  signal: AbortSignal;
};

/** The room's partition has no record of it. */
export class NoSuchRoomError extends Error {
  override readonly name = 'NoSuchRoomError';
  readonly code = 'no_such_room';
  readonly retryable = false;
}

/**
 * Resolves with null when the signal ended it. Changes nothing. Throws NoSuchRoomError, NothingProjectedError,
 * ExchangedMeanwhileError, RoomCacheUnavailableError, or what the log and PostgreSQL throw.
 */
export function auditRoom(deps: AuditDeps, options: AuditOptions): Promise<Audit | null> {
  const { live, roomId, signal } = options;
  const stream = streamOfRoom(roomId);
  const partition = partitionOf(stream, deps.log.partitions);
  const bookkeeping = bookkeepingTables(live.bookkeepingSchema);
  return withLiveSnapshot(deps.db, live, async (tx, vector) => {
    const head = await deps.log.head(partition);
    options.onBegin?.(new Map([[partition, head]]));
    const faults = new Faults();
    const checkpoint = vector.get(partition) ?? 0;
    if (checkpoint > head) faults.add('history', head, `its checkpoint is ${checkpoint}, behind the end of the log`);
    const [parked] = await queryRows<{ firstOffset: number; reason: string }>(
      tx,
      `select first_offset::float8 as "firstOffset", reason from ${bookkeeping.parkedStreams}
        where projection = ? and version = ? and stream = ?`,
      [live.name, live.version, stream],
    );
    if (parked !== undefined) faults.add('history', parked.firstOffset, `parked from here on: ${parked.reason}`);
    const reading = new RoomReading({
      deps,
      stream,
      room: new ExpectedRoom(roomId, partition),
      // Bookkeeping that no projector of this build has seen yet has no place for them.
      discards: (await isTable(tx, bookkeeping.discardedRecords))
        ? await loadDiscards(tx, bookkeeping, live, [partition])
        : NO_DISCARDS,
      faults,
      partition,
    });
    const history = new HistoryAudit({ tx, schema: live.schema, roomId, faults });
    const projectedTo = Math.min(checkpoint, parked?.firstOffset ?? checkpoint);
    const take = (event: ChatEvent, offset: number): Promise<void> => history.take(event, offset);
    if (!(await reading.readTo(projectedTo, options, take))) return null;
    await history.end(reading.room);
    if (!(await reading.readTo(head, options))) return null;
    if (reading.events + reading.voids === 0) throw new NoSuchRoomError(`the log has no room "${roomId}"`);
    const readOn = async (): Promise<void> => {
      await reading.readTo(await deps.log.head(partition), { signal });
    };
    const cache = deps.cache === null ? null : await auditCache(deps.cache, roomId, reading.room, readOn, faults);
    const { events, voids, discarded, room } = reading;
    const told = { faults: faults.told, faultCount: faults.count };
    return { roomId, partition, head, events, voids, discarded, version: room.version, checkpoint, cache, ...told };
  });
}

type ReadingOptions = {
  deps: AuditDeps;
  stream: string;
  partition: number;
  room: ExpectedRoom;
  discards: Discards;
  faults: Faults;
};

/** Reads the partition on and on, checks every record of the stream, and applies the events to the room. */
class RoomReading {
  readonly #options: ReadingOptions;
  readonly room: ExpectedRoom;
  events = 0;
  voids = 0;
  discarded = 0;
  #offset = 0;

  constructor(options: ReadingOptions) {
    this.#options = options;
    this.room = options.room;
  }

  /** Up to that offset; `take` gets every event that the room goes on with. False when the signal ended it. */
  async readTo(
    to: number,
    { signal, onChunk }: Pick<AuditOptions, 'signal' | 'onChunk'>,
    take: (event: ChatEvent, offset: number) => Promise<void> = () => Promise.resolve(),
  ): Promise<boolean> {
    if (to <= this.#offset) return !signal.aborted;
    const { deps, partition, stream } = this.#options;
    for await (const { records, nextOffset } of deps.log.inspect(partition, this.#offset, to)) {
      if (signal.aborted) return false;
      for (const record of records) if (record.key === stream) await this.#check(record, take);
      onChunk?.({ from: this.#offset, to: nextOffset });
      this.#offset = nextOffset;
    }
    return !signal.aborted;
  }

  async #check(record: InspectedRecord, take: (event: ChatEvent, offset: number) => Promise<void>): Promise<void> {
    const { offset, key, value, appendedAt } = record;
    if (record.is === 'void') this.voids += 1;
    if (record.is !== 'event' || key === null) return;
    this.events += 1;
    const { deps, discards, faults, partition } = this.#options;
    if (discards.has(partition, offset)) {
      this.discarded += 1;
      return;
    }
    const [content] = await deps.decode([{ offset, key, value: value ?? Buffer.alloc(0), appendedAt }]);
    if (content === undefined || 'fault' in content) {
      faults.add('log', offset, `it cannot be read: ${content?.fault ?? 'no content'}`);
      return;
    }
    const { event } = content;
    const fault = this.#faultOf(event);
    if (fault !== null) faults.add('log', offset, fault);
    // The room goes on with what the projection goes on with; the checks go on behind a gap as well.
    if (event.metadata.version <= this.room.version) return;
    this.room.apply(event, offset);
    await take(event, offset);
  }

  #faultOf(event: ChatEvent): string | null {
    const { stream, room } = this.#options;
    const { version } = event.metadata;
    if (event.metadata.stream !== stream) return `its event is of stream ${event.metadata.stream}`;
    if (streamOfRoom(event.roomId) !== stream) return `its event is of room ${event.roomId}`;
    if (version !== room.version + 1) return `version ${version} follows version ${room.version}`;
    if (version === 1 && event.type !== 'RoomCreated') return `the room begins with ${event.type}`;
    return null;
  }
}
