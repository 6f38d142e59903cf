// What a room's events add up to, as far as decisions need it. Members live in persistent maps, so that one event costs the
// same in a room of three and of 100,000, and every earlier state stays what it was: a batch is decided on states that may
// have to be thrown away again.
import { Map as ImmutableMap } from 'immutable';
import { subjectOf } from '../../schemas/commands.ts';
import type { ChatEvent, RoomCreated } from '../../schemas/generated/events.ts';

export type RoomState = { status: 'none'; version: 0 } | ExistingRoom;

/** `version` is that of the room's last event. An archived room keeps what it had: its history stays readable. */
export type ExistingRoom = {
  status: 'open' | 'archived';
  version: number;
  roomId: string;
  name: string;
  description: string;
  isPrivate: boolean;
  /** Who created the room. Stays on record also after leaving. */
  ownerId: string;
  /** Shown name when they joined, by user id. */
  members: ImmutableMap<string, string>;
  /** Who invited them, by the id of users who may join although the room is private. Joining uses the invitation up. */
  invited: ImmutableMap<string, string>;
};

export const initialState: RoomState = { status: 'none', version: 0 };

/** The state after the event. Never fails and never validates: it happened. An event without a room leaves the state as it is. */
export function evolve(state: RoomState, event: ChatEvent): RoomState {
  if (state.status === 'none') return event.type === 'RoomCreated' ? createdRoom(event) : state;
  const version = event.metadata.version;
  switch (event.type) {
    case 'RoomCreated':
      return state;
    case 'RoomDetailsEdited':
      return { ...state, version, name: event.after.name, description: event.after.description };
    case 'RoomArchived':
      return { ...state, version, status: 'archived' };
    case 'MemberInvited':
      return { ...state, version, invited: state.invited.set(event.userId, subjectOf(event.metadata).userId) };
    case 'MemberJoined':
      return {
        ...state,
        version,
        members: state.members.set(event.userId, event.username),
        invited: state.invited.delete(event.userId),
      };
    case 'MemberLeft':
      return { ...state, version, members: state.members.delete(event.userId) };
    case 'MessageSent':
      return { ...state, version };
  }
}

function createdRoom(event: RoomCreated): RoomState {
  const owner = subjectOf(event.metadata);
  return {
    status: 'open',
    version: event.metadata.version,
    roomId: event.roomId,
    name: event.name,
    description: event.description,
    isPrivate: event.isPrivate,
    ownerId: owner.userId,
    members: ImmutableMap([[owner.userId, owner.username]]),
    invited: ImmutableMap(),
  };
}
