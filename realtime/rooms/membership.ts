// What an event does to who may hear a room. One entry per event type: the compiler asks for it when a type is added, because one
// that is forgotten here would let somebody hear on who has been put out.
import { subjectOf } from '../../schemas/commands.ts';
import type { ChatEvent, EventType } from '../../schemas/generated/events.ts';

/** From this event on the user is a member, or is none any more. */
export type MembershipChange = { userId: string; isMember: boolean };

type EventByType = { [Type in EventType]: Extract<ChatEvent, { type: Type }> };
type Changes = { [Type in EventType]: ((event: EventByType[Type]) => MembershipChange) | null };

/** Null where nobody comes or goes. */
export function membershipChange(event: ChatEvent): MembershipChange | null {
  return changeOf(event.type, event);
}

const CHANGES: Changes = {
  RoomCreated: ({ metadata }) => ({ userId: subjectOf(metadata).userId, isMember: true }),
  MemberJoined: ({ userId }) => ({ userId, isMember: true }),
  MemberLeft: ({ userId }) => ({ userId, isMember: false }),
  // Who is invited may join, and is no member before.
  MemberInvited: null,
  // The members of an archived room go on reading it.
  RoomArchived: null,
  RoomDetailsEdited: null,
  MessageSent: null,
};

function changeOf<Type extends EventType>(type: Type, event: EventByType[Type]): MembershipChange | null {
  const change: Changes[Type] = CHANGES[type];
  return change === null ? null : change(event);
}
