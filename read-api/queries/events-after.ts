// What somebody missed: everything that happened in a room after a version.
import type { Knex } from 'knex';
import { type EventOfAnyBuild, readStoredEvent } from '../../event-log/codec/upcast.ts';
import { queryRows } from '../../platform/sql.ts';
import type { HistoryTables } from '../../projections/history/tables.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import type { MessageView } from '../../schemas/wire.ts';
import { MESSAGE_COLUMNS, type MessageRow, rowToMessage } from './row-views.ts';

/** Something that happened in a room, as a message or as any other event. */
export type RoomChange = { version: number; message: MessageView } | { version: number; event: ChatEvent };

/**
 * The room's events with a version above `after`, ascending and dense, at most `limit`. Versions are dense, so both tables are
 * asked for the same short range of their primary keys.
 */
export async function selectEventsAfter(
  db: Knex,
  tables: HistoryTables,
  range: { roomId: string; after: number; limit: number },
): Promise<RoomChange[]> {
  const { roomId, after, limit } = range;
  const rows = await queryRows<ChangeRow>(
    db,
    `select version, to_json(message) as message, null::jsonb as event from (
       select ${MESSAGE_COLUMNS} from ${tables.messages} where room_id = ? and version > ? and version <= ?
     ) as message
     union all
     select version, null, event from ${tables.roomEvents} where room_id = ? and version > ? and version <= ?
     order by version`,
    [roomId, after, after + limit, roomId, after, after + limit],
  );
  return rows.map(rowToChange);
}

type ChangeRow = { version: string; message: MessageRow | null; event: EventOfAnyBuild | null };

function rowToChange(row: ChangeRow): RoomChange {
  const version = Number(row.version);
  if (row.message !== null) return { version, message: rowToMessage(row.message) };
  if (row.event !== null) return { version, event: readStoredEvent(row.event) };
  throw new TypeError('a change is a message or an event');
}
