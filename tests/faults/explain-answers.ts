// Answers that left nothing in the log, held against it: a refusal, or "nothing to do", is right only if there is a state of the
// room, not older than what had been seen before the question, in which it was so.
import { type FoldedRoom, isInvitedAt, isMemberAt, positionOf, wasOutSince } from './folded-log.ts';
import type { Accepted, Invoked } from './history.ts';

/**
 * What is wrong with the refusal, or null. `seen` is the newest version of the room that was seen before. Codes that say nothing
 * about the room (busy, rate_limited, …) are always right.
 */
export function explainRefusal(
  { roomId, type, userId, aboutUserId }: Pick<Invoked, 'roomId' | 'type' | 'userId' | 'aboutUserId'>,
  code: string,
  room: FoldedRoom | undefined,
  seen: number,
): string | null {
  if (roomId === '') return null;
  // Inviting is about somebody else; the right to it is the sender's.
  const subject = type === 'InviteMember' ? userId : (aboutUserId ?? userId);
  switch (code) {
    case 'room_not_found':
      return seen > 0 ? 'a room that had been seen was said not to exist' : null;
    case 'not_a_member':
      if (room === undefined) return 'somebody was said to be no member of a room that is not in the log';
      return wasOutSince(room, subject, seen) ? null : 'a member was said to be none';
    case 'not_invited':
      if (room === undefined || !room.isPrivate) return 'an invitation was asked for where none is needed';
      return wasOutSince(room, subject, seen) ? null : 'a member was said not to be invited';
    case 'room_archived':
      return room?.isArchived === true ? null : 'a room was said to be archived that never was';
    default:
      return null;
  }
}

/** What is wrong with "accepted, and there was nothing to do", or null; and the version that it was said at. */
export function explainNoop(
  { type, userId, aboutUserId }: Invoked,
  answer: Accepted,
  room: FoldedRoom | undefined,
  seen: number,
): { fault: string | null; version: number } {
  const logged =
    answer.version === null
      ? room?.events.find((event) => positionOf(event) === answer.position)
      : room?.events[answer.version - 1];
  if (room === undefined || logged === undefined || positionOf(logged) !== answer.position) {
    return { fault: 'nothing was done, at a position that is not in the log', version: answer.version ?? 0 };
  }
  const { version } = logged.event.metadata;
  const about = aboutUserId ?? userId;
  const wasSo = {
    JoinRoom: () => isMemberAt(room, about, version),
    LeaveRoom: () => !isMemberAt(room, about, version),
    InviteMember: () => isMemberAt(room, about, version) || isInvitedAt(room, about, version),
    ArchiveRoom: () => room.events.slice(0, version).some(({ event }) => event.type === 'RoomArchived'),
    // The history does not say which details were wished.
    ChangeRoomDetails: () => true,
    CreateRoom: () => false,
    SendMessage: () => false,
  }[type]();
  if (!wasSo) return { fault: 'nothing was done, and there was something to do', version };
  return { fault: version < seen ? 'nothing was done, decided on an outdated state' : null, version };
}
