// A room as it was at a version or a time. What is read of it: every event up to there that is not a message, in pages by the primary
// key, and one page of messages. Rows up to a version never change, so nothing needs to hold these statements together.
import type { Knex } from 'knex';
import { z } from 'zod';
import { type EventOfAnyBuild, readStoredEvent } from '../../event-log/codec/upcast.ts';
import { queryRows } from '../../platform/sql.ts';
import type { HistoryTables } from '../../projections/history/tables.ts';
import { toTimestamp } from '../../schemas/views.ts';
import type { MemberView, MessageView, RoomView } from '../../schemas/wire.ts';
import { selectMessagePage } from './message-pages.ts';
import { type FoldedRoom, foldRoom, toMemberPage, toRoomView } from './room-fold.ts';

export type AsOfPoint = { version: number } | { timeMs: number };
export type AsOfQuery = {
  roomId: string;
  at: AsOfPoint;
  nowMs: number;
  /** The newest messages then, at most so many, with versions below `messagesBefore` where that is given. */
  messages: number;
  messagesBefore?: number | undefined;
  /** Members with a user id above `membersAfter` where that is given, at most so many. */
  members: number;
  membersAfter?: string | undefined;
};

export type RoomAsOf = {
  room: RoomView;
  members: MemberView[];
  hasMoreMembers: boolean;
  /** Ascending. */
  messages: MessageView[];
  hasMoreMessages: boolean;
  version: number;
  /** When the version came into being. */
  at: string;
};

/** `outside`: why the history has no such point of the room, for people. */
export type AsOfAnswer = RoomAsOf | { outside: string };

/** Events that are read and folded at a time. */
const PAGE_EVENTS = 1_000;
const isoTime = z.iso.datetime({ offset: true });

/** A version, or a time in RFC 3339; null where the text is neither. */
export function parseAsOfPoint(text: string): AsOfPoint | null {
  if (/^\d{1,15}$/.test(text)) return { version: Number(text) };
  return isoTime.safeParse(text).success ? { timeMs: Date.parse(text) } : null;
}

/** Null where there is no such room. */
export async function selectRoomAsOf(db: Knex, tables: HistoryTables, query: AsOfQuery): Promise<AsOfAnswer | null> {
  const { roomId, at } = query;
  const newest = await selectVersion(db, tables, roomId);
  if (newest === null) return null;
  if ('timeMs' in at && at.timeMs > query.nowMs) return { outside: `${toTimestamp(at.timeMs)} has not come yet` };
  const version = 'version' in at ? at.version : await selectVersionAt(db, tables, roomId, at.timeMs);
  if (version > newest || ('version' in at && version < 1))
    return { outside: `the room has versions from 1 to ${newest}, not ${version}` };
  const room = version < 1 ? null : await foldUpTo(db, tables, roomId, version);
  if (room === null) return { outside: 'the room did not exist then' };
  const { messages, hasMore } = await selectMessagePage(
    db,
    tables,
    roomId,
    { before: Math.min(version + 1, query.messagesBefore ?? Number.MAX_SAFE_INTEGER) },
    query.messages,
  );
  const page = toMemberPage(room, query.membersAfter ?? '', query.members);
  return {
    room: toRoomView(room, version),
    members: page.members,
    hasMoreMembers: page.hasMore,
    messages,
    hasMoreMessages: hasMore,
    version,
    at: toTimestamp(await selectTimeOf(db, tables, roomId, version)),
  };
}

async function selectVersion(db: Knex, tables: HistoryTables, roomId: string): Promise<number | null> {
  const [row] = await queryRows<{ version: string }>(db, `select version from ${tables.rooms} where room_id = ?`, [
    roomId,
  ]);
  return row === undefined ? null : Number(row.version);
}

/** When the event of that version happened: one look-up of each primary key. */
function timeOf(tables: HistoryTables, version: string): string {
  return `select occurred_at_ms as ms from ${tables.messages} where room_id = ? and version = ${version}
           union all
          select (event -> 'metadata' ->> 'occurredAt')::bigint from ${tables.roomEvents}
           where room_id = ? and version = ${version}`;
}

/**
 * The newest version that had come into being by that time, 0 where none had. Halves the range of versions until one is left, twenty
 * look-ups in a million events: no index has the times. Where the clocks of two nodes make times of neighbours go back, it is one of
 * the versions at which the times pass this one.
 */
async function selectVersionAt(db: Knex, tables: HistoryTables, roomId: string, timeMs: number): Promise<number> {
  const rows = await queryRows<{ low: string }>(
    db,
    `with recursive search (low, high) as (
       select 0::bigint, version + 1 from ${tables.rooms} where room_id = ?
        union all
       select case when happened.ms <= ? then middle.version else low end,
              case when happened.ms <= ? then high else middle.version end
         from search
        cross join lateral (select (low + high) / 2 as version) as middle
        cross join lateral (${timeOf(tables, 'middle.version')}) as happened
        where high - low > 1
     )
     select low from search where high - low = 1`,
    [roomId, timeMs, timeMs, roomId, roomId],
  );
  const [found] = rows;
  if (found === undefined) throw new RangeError(`the history of room ${roomId} has a gap`);
  return Number(found.low);
}

async function selectTimeOf(db: Knex, tables: HistoryTables, roomId: string, version: number): Promise<number> {
  const [row] = await queryRows<{ ms: string }>(db, timeOf(tables, '?'), [roomId, version, roomId, version]);
  if (row === undefined) throw new RangeError(`the history of room ${roomId} has no version ${version}`);
  return Number(row.ms);
}

async function foldUpTo(db: Knex, tables: HistoryTables, roomId: string, version: number): Promise<FoldedRoom | null> {
  let room: FoldedRoom | null = null;
  let after = 0;
  for (;;) {
    const rows: { version: string; event: EventOfAnyBuild }[] = await queryRows(
      db,
      `select version, event from ${tables.roomEvents}
        where room_id = ? and version > ? and version <= ? order by version limit ?`,
      [roomId, after, version, PAGE_EVENTS],
    );
    room = foldRoom(
      room,
      rows.map(({ event }) => readStoredEvent(event)),
    );
    if (rows.length < PAGE_EVENTS) return room;
    after = Number(rows.at(-1)?.version);
  }
}
