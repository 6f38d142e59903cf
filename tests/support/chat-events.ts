// Events as the log holds them, for tests of readers: one room, versions counted up.

import { streamOfRoom } from '../../schemas/commands.ts';
import type { Actor, ChatEvent } from '../../schemas/generated/events.ts';

export type EventBody = ChatEvent extends infer Event
  ? Event extends ChatEvent
    ? Omit<Event, 'metadata' | 'roomId'>
    : never
  : never;

const START = Date.UTC(2026, 0, 2, 3, 4, 5);

/** Makes the next event of a room, by whom it is told. */
export function roomHistory(roomId: string): {
  next(by: string, body: EventBody): ChatEvent;
  readonly version: number;
} {
  let version = 0;
  return {
    get version() {
      return version;
    },
    next(by, body) {
      version += 1;
      return {
        ...body,
        roomId,
        metadata: {
          eventId: `event-${version}`,
          stream: streamOfRoom(roomId),
          version,
          actor: userNamed(by),
          onBehalfOf: null,
          occurredAt: START + version,
          commandId: `command-${version}`,
          correlationId: `request-${version}`,
        },
      };
    },
  };
}

function userNamed(userId: string): Actor {
  return { userId, username: `the ${userId}` };
}

export const made = {
  room: (name = 'Lobby'): EventBody => ({
    type: 'RoomCreated',
    spaceId: 'space-1',
    name,
    description: '',
    isPrivate: false,
  }),
  joined: (userId: string, invitedBy: string | null = null): EventBody => ({
    type: 'MemberJoined',
    ...userNamed(userId),
    invitedBy,
  }),
  edited: (name: string, description: string): EventBody => ({
    type: 'RoomDetailsEdited',
    before: { name: 'Lobby', description: '' },
    after: { name, description },
  }),
  left: (userId: string): EventBody => ({ type: 'MemberLeft', ...userNamed(userId) }),
  said: (text: string): EventBody => ({
    type: 'MessageSent',
    messageId: `message-${text}`,
    text,
    replyTo: null,
    originalTime: null,
  }),
};
