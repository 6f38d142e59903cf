// Who is in a room, and whether somebody is.
import type { Knex } from 'knex';
import { queryRows } from '../../platform/sql.ts';
import type { HistoryTables } from '../../projections/history/tables.ts';
import type { MemberView, RoomView } from '../../schemas/wire.ts';
import type { HistoryAt } from './live-history.ts';
import { MEMBER_COLUMNS, type MemberRow, ROOM_COLUMNS, type RoomRow, rowToMember, rowToRoom } from './row-views.ts';

/**
 * A room as one user meets it. `partition` is that of the room's stream, `checkpoint` its next offset that is not in this look at the
 * room; what is read later has at least the same.
 */
export type RoomFor = { room: RoomView; partition: number; checkpoint: number; isMember: boolean };

/** Null where there is no such room. */
export async function selectRoomFor(
  db: Knex,
  { name, version, tables }: HistoryAt,
  roomId: string,
  userId: string,
): Promise<RoomFor | null> {
  const [row] = await queryRows<RoomRow & { is_member: boolean; checkpoint: string | null }>(
    db,
    `select ${ROOM_COLUMNS},
            exists (select 1 from ${tables.memberships} as member
                     where member.room_id = room.room_id and member.user_id = ?) as is_member,
            (select next_offset from ${tables.checkpoints} as checkpoint
              where projection = ? and checkpoint.version = ? and checkpoint.partition = room.partition) as checkpoint
       from ${tables.rooms} as room where room_id = ?`,
    [userId, name, version, roomId],
  );
  if (row === undefined) return null;
  const { partition, is_member: isMember } = row;
  return { room: rowToRoom(row), partition, checkpoint: Number(row.checkpoint ?? 0), isMember };
}

/** The members with a user id above `afterUserId`, in the order of user ids: a range of the primary key. */
export async function selectMemberPage(
  db: Knex,
  tables: HistoryTables,
  query: { room: RoomView; afterUserId: string; limit: number },
): Promise<{ members: MemberView[]; hasMore: boolean }> {
  const { room, afterUserId, limit } = query;
  const rows = await queryRows<MemberRow>(
    db,
    `select ${MEMBER_COLUMNS} from ${tables.memberships} where room_id = ? and user_id > ? order by user_id limit ?`,
    [room.id, afterUserId, limit + 1],
  );
  const members = rows.slice(0, limit).map((row) => rowToMember(row, room.ownerId));
  return { members, hasMore: rows.length > limit };
}
