// Decisions about who is in the room. Coming and going twice is no error: a client that lost an answer simply repeats itself.
import { type Command, type InviteMember, subjectOf } from '../../schemas/commands.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { type Rejection, reject } from '../../schemas/rejections.ts';
import type { NewEvent } from './new-event.ts';
import type { RoomState } from './state.ts';

export function decideJoin(command: Command, state: RoomState): readonly NewEvent[] | Rejection {
  if (state.status === 'none') return reject('room_not_found');
  const { userId, username } = subjectOf(command);
  if (state.members.has(userId)) return [];
  // Before room_archived, which would tell more about a private room than an outsider may know.
  if (state.isPrivate && !state.invited.has(userId)) return reject('not_invited');
  if (state.status === 'archived') return reject('room_archived');
  if (state.members.size >= LIMITS.roomMembers) return reject('room_full');
  const invitedBy = state.invited.get(userId) ?? null;
  return [{ type: 'MemberJoined', roomId: state.roomId, userId, username, invitedBy }];
}

/** The owner may go too and stays the owner on record. */
export function decideLeave(command: Command, state: RoomState): readonly NewEvent[] | Rejection {
  if (state.status === 'none') return reject('room_not_found');
  const { userId, username } = subjectOf(command);
  if (!state.members.has(userId)) return [];
  if (state.status === 'archived') return reject('room_archived');
  return [{ type: 'MemberLeft', roomId: state.roomId, userId, username }];
}

/** Every member may invite. In a public room an invitation opens nothing; it tells the invited one. */
export function decideInvite(command: Command, body: InviteMember, state: RoomState): readonly NewEvent[] | Rejection {
  if (state.status === 'none') return reject('room_not_found');
  if (!state.members.has(subjectOf(command).userId)) return reject('not_a_member');
  if (state.status === 'archived') return reject('room_archived');
  if (state.members.has(body.userId) || state.invited.has(body.userId)) return [];
  return [{ type: 'MemberInvited', roomId: state.roomId, userId: body.userId }];
}
