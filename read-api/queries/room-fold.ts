// What a room was at a version: a fold over its events up to it, the same that the history projection makes of them for now. Messages
// are no part of it; they stand for themselves.
import { subjectOf } from '../../schemas/commands.ts';
import type { ChatEvent, RoomCreated } from '../../schemas/generated/events.ts';
import type { MemberView, RoomView } from '../../schemas/wire.ts';
import { rowToMember, rowToRoom } from './row-views.ts';

export type FoldedRoom = {
  created: RoomCreated;
  name: string;
  description: string;
  archived: boolean;
  /** By user id. */
  members: Map<string, { username: string; joinedAtMs: number }>;
};

/**
 * The room after these events more, which follow those that it was folded from; messages may be left out. Null before the room was
 * created. The room that was given is changed and returned, because rooms may have a hundred thousand members.
 */
export function foldRoom(room: FoldedRoom | null, events: Iterable<ChatEvent>): FoldedRoom | null {
  let folded = room;
  for (const event of events) {
    if (folded !== null) applyEvent(folded, event);
    else if (event.type === 'RoomCreated') folded = toCreated(event);
  }
  return folded;
}

function toCreated(created: RoomCreated): FoldedRoom {
  const { userId, username } = subjectOf(created.metadata);
  const { name, description, metadata } = created;
  const members = new Map([[userId, { username, joinedAtMs: metadata.occurredAt }]]);
  return { created, name, description, archived: false, members };
}

function applyEvent(room: FoldedRoom, event: ChatEvent): void {
  switch (event.type) {
    case 'RoomDetailsEdited':
      room.name = event.after.name;
      room.description = event.after.description;
      return;
    case 'RoomArchived':
      room.archived = true;
      return;
    case 'MemberJoined': {
      const { userId, username, metadata } = event;
      // Who is a member already stays as they are.
      if (!room.members.has(userId)) room.members.set(userId, { username, joinedAtMs: metadata.occurredAt });
      return;
    }
    case 'MemberLeft':
      room.members.delete(event.userId);
      return;
    case 'RoomCreated':
    case 'MemberInvited':
    case 'MessageSent':
      return;
  }
}

/** The room as the public JSON shows it. `version` is the one that it was folded to. */
export function toRoomView(room: FoldedRoom, version: number): RoomView {
  const { created, name, description, archived, members } = room;
  return rowToRoom({
    room_id: created.roomId,
    // Not shown.
    partition: 0,
    version,
    space_id: created.spaceId,
    name,
    description,
    is_private: created.isPrivate,
    owner_id: subjectOf(created.metadata).userId,
    member_count: members.size,
    archived,
    created_at_ms: created.metadata.occurredAt,
  });
}

/** The members with a user id above `afterUserId`, in the order of user ids, at most `limit`. */
export function toMemberPage(
  { created, members }: FoldedRoom,
  afterUserId: string,
  limit: number,
): { members: MemberView[]; hasMore: boolean } {
  const ownerId = subjectOf(created.metadata).userId;
  const ids = [...members.keys()].filter((userId) => userId > afterUserId).sort(byCodeUnits);
  const page = ids.slice(0, limit).flatMap((userId) => {
    const member = members.get(userId);
    return member ? [{ user_id: userId, username: member.username, joined_at_ms: member.joinedAtMs }] : [];
  });
  return { members: page.map((row) => rowToMember(row, ownerId)), hasMore: ids.length > limit };
}

/** As `>` compares, so that a page goes on where the last one ended. */
function byCodeUnits(left: string, right: string): number {
  return left < right ? -1 : 1;
}
