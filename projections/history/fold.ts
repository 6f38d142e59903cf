// Folds a run of events into the fewest row changes that mean the same: pure, and the same result however the run is cut.
import { subjectOf } from '../../schemas/commands.ts';
import type { ChatEvent, MessageSent, RoomCreated } from '../../schemas/generated/events.ts';
import { type LoggedEvent, UnprojectableError } from '../table-projection.ts';
import { RowChanges } from './row-changes.ts';

export type RoomChange = {
  roomId: string;
  partition: number;
  /** Of the last event folded. */
  version: number;
  /** Null where the room is in the table already. */
  created: RoomCreated | null;
  /** Null where unchanged. */
  name: string | null;
  description: string | null;
  archived: boolean;
};
export type Membership = { roomId: string; userId: string; username: string; joinedAtMs: number };
export type Invitation = { roomId: string; userId: string; invitedBy: string; invitedAtMs: number };

export type HistoryChanges = {
  rooms: Map<string, RoomChange>;
  memberships: RowChanges<Membership>;
  invitations: RowChanges<Invitation>;
  messages: MessageSent[];
  otherEvents: Exclude<ChatEvent, MessageSent>[];
};

/**
 * `versions` are those of the rooms in the table. An event that a room has already is skipped; one that does not follow its
 * predecessor throws UnprojectableError, because a history with a hole must not look whole.
 */
export function foldHistory(events: readonly LoggedEvent[], versions: ReadonlyMap<string, number>): HistoryChanges {
  const changes: HistoryChanges = {
    rooms: new Map(),
    memberships: new RowChanges(),
    invitations: new RowChanges(),
    messages: [],
    otherEvents: [],
  };
  for (const { partition, event } of events) {
    const { roomId } = event;
    const { version } = event.metadata;
    const known = changes.rooms.get(roomId)?.version ?? versions.get(roomId) ?? 0;
    if (version <= known) continue;
    if (version !== known + 1) throw new UnprojectableError(`version ${version} follows ${known}`);
    if (known === 0 && event.type !== 'RoomCreated') throw new UnprojectableError('a room begins with its creation');
    applyEvent(changes, roomChange(changes, roomId, partition, version), event);
    if (event.type === 'MessageSent') changes.messages.push(event);
    else changes.otherEvents.push(event);
  }
  return changes;
}

function roomChange(changes: HistoryChanges, roomId: string, partition: number, version: number): RoomChange {
  let room = changes.rooms.get(roomId);
  if (room === undefined) {
    room = { roomId, partition, version, created: null, name: null, description: null, archived: false };
    changes.rooms.set(roomId, room);
  }
  room.version = version;
  return room;
}

/** Every event shows in room_events or messages and in the room's version; here stands what else it changes. */
function applyEvent(changes: HistoryChanges, room: RoomChange, event: ChatEvent): void {
  const { roomId } = event;
  const at = event.metadata.occurredAt;
  switch (event.type) {
    case 'RoomCreated': {
      const owner = subjectOf(event.metadata);
      room.created = event;
      changes.memberships.add([roomId, owner.userId], { roomId, ...owner, joinedAtMs: at });
      return;
    }
    case 'RoomDetailsEdited':
      room.name = event.after.name;
      room.description = event.after.description;
      return;
    case 'RoomArchived':
      room.archived = true;
      return;
    case 'MemberInvited': {
      const invitedBy = subjectOf(event.metadata).userId;
      const { userId } = event;
      changes.invitations.add([roomId, userId], { roomId, userId, invitedBy, invitedAtMs: at });
      return;
    }
    case 'MemberJoined': {
      const { userId, username } = event;
      changes.memberships.add([roomId, userId], { roomId, userId, username, joinedAtMs: at });
      changes.invitations.remove([roomId, userId]);
      return;
    }
    case 'MemberLeft':
      changes.memberships.remove([roomId, event.userId]);
      return;
    case 'MessageSent':
      return;
  }
}
