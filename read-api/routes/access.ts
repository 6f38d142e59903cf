// Who may read what of a room.
import type { Identity } from '../../platform/auth.ts';
import { Problem } from '../../platform/http-app.ts';
import type { FreshQueries } from '../fresh-queries.ts';
import type { RoomFor } from '../queries/members.ts';
import type { Standing } from '../standing.ts';

export type AccessRules = {
  /** Lets everybody with a token read the messages of public rooms, not only their members. */
  publicHistory: boolean;
};

/**
 * The room for somebody who may know of it: public rooms are known to all, private ones to their members and to operators. To
 * anybody else a private room is room_not_found.
 */
export async function findRoom(
  queries: FreshQueries,
  roomId: string,
  caller: Identity,
): Promise<RoomFor & { standing: Standing }> {
  const found = await queries.roomFor(roomId, caller.userId);
  if (found === null || (found.room.isPrivate && !found.isMember && !caller.isOperator)) {
    throw new Problem('room_not_found');
  }
  return found;
}

/** The room for a member or an operator. To anybody else a private room is room_not_found, a public one not_a_member. */
export async function findRoomOfMember(
  queries: FreshQueries,
  roomId: string,
  caller: Identity,
): Promise<RoomFor & { standing: Standing }> {
  const found = await findRoom(queries, roomId, caller);
  if (!found.isMember && !caller.isOperator) throw new Problem('not_a_member');
  return found;
}

/** The room for somebody who may read its messages, else room_not_found or not_a_member. */
export async function findReadableRoom(
  queries: FreshQueries,
  roomId: string,
  caller: Identity,
  rules: AccessRules,
): Promise<RoomFor & { standing: Standing }> {
  const found = await queries.roomFor(roomId, caller.userId);
  if (found === null) throw new Problem('room_not_found');
  const isOpen = rules.publicHistory && !found.room.isPrivate;
  if (!found.isMember && !caller.isOperator && !isOpen) throw new Problem('not_a_member');
  return found;
}
