// What the examples in the tables and documents of both protocols are made of.
import type { MemberView, MessageView, RoomView } from './wire.ts';

export const EXAMPLE_POSITION = '3-1042';

/** What every event of a room shows. */
export const EXAMPLE_EVENT = {
  roomId: '0199c0de-0000-7000-8000-000000000001',
  userId: 'ada',
  username: 'Ada',
  version: 7,
  timestamp: '2026-01-02T03:04:05.678Z',
} as const;

export const EXAMPLE_USER = {
  roomId: EXAMPLE_EVENT.roomId,
  userId: EXAMPLE_EVENT.userId,
  username: EXAMPLE_EVENT.username,
} as const;

export const EXAMPLE_MESSAGE: MessageView = {
  id: '0199c0de-0000-7000-8000-00000000000a',
  message: 'Hello',
  ...EXAMPLE_EVENT,
  replyTo: null,
  originalTime: null,
  commandId: 'my-command-1',
};

export const EXAMPLE_ROOM: RoomView = {
  id: EXAMPLE_EVENT.roomId,
  name: 'Lobby',
  description: 'Where all meet',
  roomid: 'plaza',
  spaceId: 'plaza',
  isPrivate: false,
  ownerId: EXAMPLE_EVENT.userId,
  memberCount: 2,
  archived: false,
  createdAt: '2026-01-02T03:00:00.000Z',
  version: 7,
};

export const EXAMPLE_MEMBER: MemberView = {
  userId: EXAMPLE_EVENT.userId,
  username: EXAMPLE_EVENT.username,
  role: 'owner',
  joinedAt: EXAMPLE_ROOM.createdAt,
};
