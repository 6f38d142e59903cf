// Rows of the history as the public JSON shows them: the same views that schemas/views.ts makes of events.
import { toTimestamp } from '../../schemas/views.ts';
import type { MemberView, MessageView, RoomView } from '../../schemas/wire.ts';

// bigint columns come as text from a plain select and as numbers inside JSON; both are taken.

export type RoomRow = {
  room_id: string;
  partition: number;
  version: string | number;
  space_id: string;
  name: string;
  description: string;
  is_private: boolean;
  owner_id: string;
  member_count: number;
  archived: boolean;
  created_at_ms: string | number;
};

export type MessageRow = {
  room_id: string;
  version: string | number;
  message_id: string;
  text: string;
  user_id: string;
  username: string;
  reply_to: string | null;
  original_time_ms: string | number | null;
  occurred_at_ms: string | number;
  command_id: string;
};

export type MemberRow = { user_id: string; username: string; joined_at_ms: string | number };

export const ROOM_COLUMNS =
  'room_id, partition, version, space_id, name, description, is_private, owner_id, member_count, archived, created_at_ms';
export const MESSAGE_COLUMNS =
  'room_id, version, message_id, text, user_id, username, reply_to, original_time_ms, occurred_at_ms, command_id';
export const MEMBER_COLUMNS = 'user_id, username, joined_at_ms';

export function rowToRoom(row: RoomRow): RoomView {
  return {
    id: row.room_id,
    name: row.name,
    description: row.description,
    roomid: row.space_id,
    spaceId: row.space_id,
    isPrivate: row.is_private,
    ownerId: row.owner_id,
    memberCount: row.member_count,
    archived: row.archived,
    createdAt: toTimestamp(Number(row.created_at_ms)),
    version: Number(row.version),
  };
}

export function rowToMessage(row: MessageRow): MessageView {
  return {
    id: row.message_id,
    message: row.text,
    userId: row.user_id,
    username: row.username,
    timestamp: toTimestamp(Number(row.occurred_at_ms)),
    roomId: row.room_id,
    version: Number(row.version),
    replyTo: row.reply_to,
    originalTime: row.original_time_ms === null ? null : toTimestamp(Number(row.original_time_ms)),
    commandId: row.command_id,
  };
}

export function rowToMember(row: MemberRow, ownerId: string): MemberView {
  return {
    userId: row.user_id,
    username: row.username,
    role: row.user_id === ownerId ? 'owner' : 'member',
    joinedAt: toTimestamp(Number(row.joined_at_ms)),
  };
}
