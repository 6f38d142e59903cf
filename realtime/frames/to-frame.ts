// Which frame shows an event to the sockets of its room. One entry per event type: the compiler asks for it when a type is added.
// An event that no socket gets has null here, with the reason.
import type { ChatEvent, EventType } from '../../schemas/generated/events.ts';
import type { ServerFrame } from '../../schemas/server-frames.ts';
import { messageView, roomEventData } from '../../schemas/views.ts';
import { type MessageView, SERVER_FRAMES } from '../../schemas/wire.ts';

type EventByType = { [Type in EventType]: Extract<ChatEvent, { type: Type }> };
type FrameMakers = { [Type in EventType]: ((event: EventByType[Type]) => ServerFrame) | null };

/** The frame, or null where the event is not shown. `userId` and `username` in it say who did it. */
export function toFrame(event: ChatEvent): ServerFrame | null {
  return make(event.type, event);
}

/** A message's frame; the same whether the message comes from the log or from PostgreSQL. */
export function messageToFrame(message: MessageView): ServerFrame {
  return { event: SERVER_FRAMES.receiveMessage, data: message };
}

const FRAME_MAKERS: FrameMakers = {
  RoomCreated: (event) => ({
    event: SERVER_FRAMES.roomCreated,
    data: {
      ...roomEventData(event),
      spaceId: event.spaceId,
      name: event.name,
      description: event.description,
      isPrivate: event.isPrivate,
    },
  }),
  RoomDetailsEdited: (event) => ({
    event: SERVER_FRAMES.roomDetailsChanged,
    data: { ...roomEventData(event), name: event.after.name, description: event.after.description },
  }),
  RoomArchived: (event) => ({ event: SERVER_FRAMES.roomArchived, data: roomEventData(event) }),
  MemberInvited: (event) => ({
    event: SERVER_FRAMES.memberInvited,
    data: { ...roomEventData(event), invitedUserId: event.userId },
  }),
  MemberJoined: (event) => ({
    event: SERVER_FRAMES.memberJoined,
    data: { ...roomEventData(event), userId: event.userId, username: event.username },
  }),
  MemberLeft: (event) => ({
    event: SERVER_FRAMES.memberLeft,
    data: { ...roomEventData(event), userId: event.userId, username: event.username },
  }),
  MessageSent: (event) => messageToFrame(messageView(event)),
};

function make<Type extends EventType>(type: Type, event: EventByType[Type]): ServerFrame | null {
  const maker: FrameMakers[Type] = FRAME_MAKERS[type];
  return maker === null ? null : maker(event);
}
