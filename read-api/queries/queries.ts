// The reads of the history, asked by the read API's routes and by the socket nodes. Every one throws DatabaseUnavailableError
// while PostgreSQL cannot be reached.
import { DatabaseUnavailableError, toDatabaseFault } from '../../platform/database-faults.ts';
import type { Database } from '../../platform/postgres.ts';
import {
  BOOKKEEPING_SCHEMA,
  bookkeepingTables,
  HISTORY_VERSION_NUMBERS,
  historyKeyOf,
  historySchemaOf,
  historyTables,
} from '../../projections/history/tables.ts';
import { LIMITS } from '../../schemas/limits.ts';
import type { MemberView, RoomView } from '../../schemas/wire.ts';
import { type AsOfAnswer, type AsOfQuery, selectRoomAsOf } from './as-of.ts';
import { selectCheckpoints, selectLiveVersion } from './checkpoints.ts';
import { type RoomChange, selectEventsAfter } from './events-after.ts';
import { type HistoryAt, LiveHistory } from './live-history.ts';
import { type RoomFor, selectMemberPage, selectRoomFor } from './members.ts';
import { type MessagePage, type PageRange, selectMessagePage } from './message-pages.ts';
import { type RoomCursor, type RoomPage, selectRoomPage } from './room-pages.ts';
import { type RoomSnapshot, selectRoomSnapshot } from './room-snapshot.ts';

export type Queries = {
  /** One consistent look at a room with its newest messages (50 unless told), or null where history has no such room. */
  roomSnapshot(roomId: string, messages?: number): Promise<RoomSnapshot | null>;
  /** The room's events with a version above `after`, ascending and dense, at most `limit`. */
  eventsAfter(roomId: string, after: number, limit: number): Promise<RoomChange[]>;
  /** By partition: the next offset to be projected. Empty until the projection has started for the first time. */
  checkpoints(): Promise<Map<number, number>>;
  messagePage(roomId: string, range: PageRange, limit: number): Promise<MessagePage>;
  roomPage(query: {
    spaceId: string;
    userId: string | null;
    after: RoomCursor | null;
    limit: number;
  }): Promise<RoomPage>;
  /** The room and whether the user is a member of it, or null where there is no such room. */
  roomFor(roomId: string, userId: string): Promise<RoomFor | null>;
  memberPage(query: {
    room: RoomView;
    afterUserId: string;
    limit: number;
  }): Promise<{ members: MemberView[]; hasMore: boolean }>;
  /** The room as it was at a version or a time, or null where there is no such room. */
  roomAsOf(query: AsOfQuery): Promise<AsOfAnswer | null>;
};

export type QueriesOptions = {
  db: Database;
  /** Of all versions; for tests, which have one. */
  historySchema?: string;
  bookkeepingSchema?: string;
  /** Versions of the history that are understood, the oldest first; those of this build where left out. */
  versions?: readonly number[];
};

export function createQueries(options: QueriesOptions): Queries {
  const { db, historySchema, bookkeepingSchema, versions = HISTORY_VERSION_NUMBERS } = options;
  const bookkeeping = bookkeepingTables(bookkeepingSchema ?? BOOKKEEPING_SCHEMA);
  const live = new LiveHistory({
    versions,
    at: (version) => {
      const tables = { ...historyTables(historySchema ?? historySchemaOf(version)), ...bookkeeping };
      return { ...historyKeyOf(version), tables };
    },
    loadLive: () => whereThere(() => selectLiveVersion(db, bookkeeping, historyKeyOf(1).name)),
    loadCheckpoints: (at) => selectCheckpoints(db, at),
    isMissing: isMissingTable,
    nowMs: () => performance.now(),
  });
  const ask = <Result>(query: (at: HistoryAt) => Promise<Result>): Promise<Result> => reach(() => live.read(query));
  return {
    roomSnapshot: (roomId, messages = LIMITS.pageMessages) => ask((at) => selectRoomSnapshot(db, at, roomId, messages)),
    eventsAfter: (roomId, after, limit) => ask(({ tables }) => selectEventsAfter(db, tables, { roomId, after, limit })),
    checkpoints: () => ask((at) => selectCheckpoints(db, at)),
    messagePage: (roomId, range, limit) => ask(({ tables }) => selectMessagePage(db, tables, roomId, range, limit)),
    roomPage: (query) => ask(({ tables }) => selectRoomPage(db, tables, query)),
    roomFor: (roomId, userId) => ask((at) => selectRoomFor(db, at, roomId, userId)),
    memberPage: (query) => ask(({ tables }) => selectMemberPage(db, tables, query)),
    roomAsOf: (query) => ask(({ tables }) => selectRoomAsOf(db, tables, query)),
  };
}

/** Null where there is no table for it: the projections are of a build that has none, or were not started yet. */
async function whereThere(query: () => Promise<number | null>): Promise<number | null> {
  try {
    return await query();
  } catch (error) {
    if (isMissingTable(error)) return null;
    throw error;
  }
}

async function reach<Result>(query: () => Promise<Result>): Promise<Result> {
  try {
    return await query();
  } catch (error) {
    if (isMissingTable(error)) {
      throw new DatabaseUnavailableError('the history projection has not been started yet', { cause: error });
    }
    throw toDatabaseFault(error);
  }
}

/** undefined_table or invalid_schema_name: roles start in any order, and the tables are the projection's to make. */
function isMissingTable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === '42P01' || error.code === '3F000');
}
