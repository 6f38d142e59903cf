// The rooms of a space that a user may see, page by page in the order in which they were made.
import type { Knex } from 'knex';
import { queryRows } from '../../platform/sql.ts';
import type { HistoryTables } from '../../projections/history/tables.ts';
import type { RoomView } from '../../schemas/wire.ts';
import { ROOM_COLUMNS, type RoomRow, rowToRoom } from './row-views.ts';

/** The last room of the page before. */
export type RoomCursor = { createdAtMs: number; roomId: string };
export type RoomPage = { rooms: RoomView[]; next: RoomCursor | null };

/**
 * Public rooms and the private ones that the user is in; all of them for an operator (`userId` null). The index rooms_of_space
 * gives the order and the start; a private room costs one look-up of the memberships' primary key.
 */
export async function selectRoomPage(
  db: Knex,
  tables: HistoryTables,
  query: { spaceId: string; userId: string | null; after: RoomCursor | null; limit: number },
): Promise<RoomPage> {
  const { spaceId, userId, after, limit } = query;
  const rows = await queryRows<RoomRow>(
    db,
    `select ${ROOM_COLUMNS} from ${tables.rooms} as room
      where space_id = ? and (created_at_ms, room_id) > (?::bigint, ?::text)
        and (not is_private or ?::text is null
             or exists (select 1 from ${tables.memberships} as member
                         where member.room_id = room.room_id and member.user_id = ?))
      order by created_at_ms, room_id limit ?`,
    [spaceId, after?.createdAtMs ?? -1, after?.roomId ?? '', userId, userId, limit + 1],
  );
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const next = rows.length > limit && last ? { createdAtMs: Number(last.created_at_ms), roomId: last.room_id } : null;
  return { rooms: page.map(rowToRoom), next };
}
