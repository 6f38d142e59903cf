// What the events of a log mean, told a second time: none of the product's folds is used, so that a mistake in one of them shows.
// Slow and plain on purpose. Unlike the product it keeps who was a member when, because the checks ask about the past.
import type { ChatEvent, EventMetadata, MessageSent } from '../../schemas/generated/events.ts';
import type { LoggedEvent, LogRead } from './read-log.ts';
import type { Violations } from './violations.ts';

/** When somebody came in and went out, by version. */
type Timeline = { version: number; isIn: boolean }[];

export type FoldedRoom = {
  roomId: string;
  partition: number;
  /** events[version - 1] */
  events: LoggedEvent[];
  messages: MessageSent[];
  spaceId: string;
  name: string;
  description: string;
  isPrivate: boolean;
  ownerId: string;
  createdAtMs: number;
  isArchived: boolean;
  members: Map<string, { username: string; joinedAtMs: number }>;
  invitations: Map<string, { invitedBy: string; invitedAtMs: number }>;
  memberTimes: Map<string, Timeline>;
  invitedTimes: Map<string, Timeline>;
};

export type FoldedLog = {
  rooms: Map<string, FoldedRoom>;
  /** Every event that was read, also those that do not follow on their room's last one and are in no room. */
  events: readonly LoggedEvent[];
  heads: ReadonlyMap<number, number>;
};

/** Folds the log and tells what is wrong with the log itself. An event out of turn is told and left out. */
export function foldLog(read: LogRead, violations: Violations): FoldedLog {
  const rooms = new Map<string, FoldedRoom>();
  for (const record of read.unreadable) violations.add('log', 'a record that counts is no event', record);
  for (const logged of read.events) {
    const { key, partition, offset, event } = logged;
    const { roomId, metadata } = event;
    const details = { partition, offset, key, version: metadata.version, type: event.type };
    if (key !== `room-${roomId}` || metadata.stream !== key) violations.add('log', 'a key is not its stream', details);
    const room = rooms.get(roomId) ?? emptyRoom(roomId, partition);
    rooms.set(roomId, room);
    if (room.partition !== partition) violations.add('log', 'a stream lies in two partitions', details);
    if (metadata.version !== room.events.length + 1) {
      violations.add('log', `version ${metadata.version} stands where ${room.events.length + 1} was due`, details);
      continue;
    }
    const contradiction = contradictionOf(room, event);
    if (contradiction !== null) violations.add('decisions', contradiction, details);
    apply(room, logged);
  }
  return { rooms, events: read.events, heads: read.heads };
}

/** The user an event counts for. */
export function subjectOf({ onBehalfOf, actor }: EventMetadata): { userId: string; username: string } {
  return onBehalfOf ?? actor;
}

export function positionOf({ partition, offset }: LoggedEvent): string {
  return `${partition}-${offset}`;
}

/** Whether the user was a member when the room had that version. */
export function isMemberAt(room: FoldedRoom, userId: string, version: number): boolean {
  return isInAt(room.memberTimes.get(userId), version);
}

export function isInvitedAt(room: FoldedRoom, userId: string, version: number): boolean {
  return isInAt(room.invitedTimes.get(userId), version);
}

/** Whether there is a version from `since` on at which the user was no member. */
export function wasOutSince(room: FoldedRoom, userId: string, since: number): boolean {
  const from = Math.max(since, 1);
  const wentLater = room.memberTimes.get(userId)?.some(({ version, isIn }) => version > from && !isIn) ?? false;
  return wentLater || !isMemberAt(room, userId, from);
}

/** The last version that the user may ever have seen: that of their last leaving. */
export function lastVisibleVersion(room: FoldedRoom, userId: string): number {
  const last = room.memberTimes.get(userId)?.at(-1);
  if (last === undefined) return 0;
  return last.isIn ? room.events.length : last.version;
}

/** The newest messages of the room as it was at that version, at most `limit`, ascending; and how many there were in all. */
export function newestMessages(
  room: FoldedRoom,
  version: number,
  limit: number,
): { newest: MessageSent[]; total: number } {
  // Halving: runs have long rooms and many joins.
  let total = 0;
  for (let high = room.messages.length; total < high; ) {
    const middle = (total + high) >> 1;
    if ((room.messages[middle]?.metadata.version ?? 0) <= version) total = middle + 1;
    else high = middle;
  }
  return { newest: room.messages.slice(Math.max(0, total - limit), total), total };
}

function isInAt(timeline: Timeline | undefined, version: number): boolean {
  return timeline?.findLast((change) => change.version <= version)?.isIn ?? false;
}

function emptyRoom(roomId: string, partition: number): FoldedRoom {
  return {
    roomId,
    partition,
    events: [],
    messages: [],
    spaceId: '',
    name: '',
    description: '',
    isPrivate: false,
    ownerId: '',
    createdAtMs: 0,
    isArchived: false,
    members: new Map(),
    invitations: new Map(),
    memberTimes: new Map(),
    invitedTimes: new Map(),
  };
}

/** Why the event cannot have been decided on the state before it; null where it can. */
function contradictionOf(room: FoldedRoom, event: ChatEvent): string | null {
  const subject = subjectOf(event.metadata).userId;
  if ((event.type === 'RoomCreated') !== (room.events.length === 0)) return 'a room begins with its creation, once';
  if (room.isArchived) return 'something happened in an archived room';
  switch (event.type) {
    case 'MemberJoined':
      if (room.members.has(event.userId)) return 'a member joined';
      if (event.invitedBy !== (room.invitations.get(event.userId)?.invitedBy ?? null)) {
        return 'somebody joined by an invitation that was not theirs';
      }
      return room.isPrivate && !room.invitations.has(event.userId) ? 'somebody joined uninvited' : null;
    case 'MemberLeft':
      return room.members.has(event.userId) ? null : 'somebody left who was no member';
    case 'MemberInvited':
      if (room.members.has(event.userId) || room.invitations.has(event.userId)) return 'somebody was invited again';
      return room.members.has(subject) ? null : 'somebody invited who was no member';
    case 'MessageSent':
      return room.members.has(subject) ? null : 'somebody spoke who was no member';
    case 'RoomDetailsEdited': {
      const { before } = event;
      const isSo = before?.name === room.name && before.description === room.description;
      return isSo ? null : 'details were changed that were not there';
    }
    case 'RoomCreated':
    case 'RoomArchived':
      return null;
  }
}

function apply(room: FoldedRoom, logged: LoggedEvent): void {
  const { event } = logged;
  const { version, occurredAt } = event.metadata;
  const subject = subjectOf(event.metadata);
  room.events.push(logged);
  switch (event.type) {
    case 'RoomCreated': {
      const { spaceId, name, description, isPrivate } = event;
      Object.assign(room, { spaceId, name, description, isPrivate, ownerId: subject.userId, createdAtMs: occurredAt });
      room.members.set(subject.userId, { username: subject.username, joinedAtMs: occurredAt });
      note(room.memberTimes, subject.userId, version, true);
      return;
    }
    case 'RoomDetailsEdited':
      room.name = event.after.name;
      room.description = event.after.description;
      return;
    case 'RoomArchived':
      room.isArchived = true;
      return;
    case 'MemberInvited':
      room.invitations.set(event.userId, { invitedBy: subject.userId, invitedAtMs: occurredAt });
      note(room.invitedTimes, event.userId, version, true);
      return;
    case 'MemberJoined':
      room.members.set(event.userId, { username: event.username, joinedAtMs: occurredAt });
      note(room.memberTimes, event.userId, version, true);
      if (room.invitations.delete(event.userId)) note(room.invitedTimes, event.userId, version, false);
      return;
    case 'MemberLeft':
      room.members.delete(event.userId);
      note(room.memberTimes, event.userId, version, false);
      return;
    case 'MessageSent':
      room.messages.push(event);
      return;
  }
}

function note(times: Map<string, Timeline>, userId: string, version: number, isIn: boolean): void {
  const timeline = times.get(userId) ?? [];
  timeline.push({ version, isIn });
  times.set(userId, timeline);
}
