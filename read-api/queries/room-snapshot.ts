// One consistent look at a room, for whoever goes on from it with live events: all of it belongs to one version.
import type { Knex } from 'knex';
import { queryRows } from '../../platform/sql.ts';
import type { MemberView, MessageView, RoomView } from '../../schemas/wire.ts';
import type { HistoryAt } from './live-history.ts';
import {
  MEMBER_COLUMNS,
  MESSAGE_COLUMNS,
  type MemberRow,
  type MessageRow,
  ROOM_COLUMNS,
  type RoomRow,
  rowToMember,
  rowToMessage,
  rowToRoom,
} from './row-views.ts';

export type RoomSnapshot = {
  room: RoomView;
  /** In the order of their user ids. */
  members: MemberView[];
  /** The newest messages, ascending. */
  messages: MessageView[];
  version: number;
  /** The partition that the room's stream lies in, and its next offset that is not in this snapshot. */
  partition: number;
  checkpoint: number;
};

/**
 * Null where history has no such room. One statement is one snapshot, so nothing can come between its parts. The rows are found
 * by primary keys; the newest messages are the end of the key's range.
 */
export async function selectRoomSnapshot(
  db: Knex,
  { name, version, tables }: HistoryAt,
  roomId: string,
  messages: number,
): Promise<RoomSnapshot | null> {
  const [row] = await queryRows<
    RoomRow & { members: MemberRow[] | null; messages: MessageRow[] | null; checkpoint: string | null }
  >(
    db,
    `select ${ROOM_COLUMNS},
            (select next_offset from ${tables.checkpoints} as checkpoint
              where projection = ? and checkpoint.version = ? and checkpoint.partition = room.partition) as checkpoint,
            (select json_agg(member order by user_id) from (
               select ${MEMBER_COLUMNS} from ${tables.memberships} where room_id = room.room_id
             ) as member) as members,
            (select json_agg(message order by message.version) from (
               select ${MESSAGE_COLUMNS} from ${tables.messages}
                where room_id = room.room_id order by version desc limit ?
             ) as message) as messages
       from ${tables.rooms} as room where room_id = ?`,
    [name, version, messages, roomId],
  );
  if (row === undefined) return null;
  return {
    room: rowToRoom(row),
    members: (row.members ?? []).map((member) => rowToMember(member, row.owner_id)),
    messages: (row.messages ?? []).map(rowToMessage),
    version: Number(row.version),
    partition: row.partition,
    checkpoint: Number(row.checkpoint ?? 0),
  };
}
