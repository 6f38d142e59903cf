// What a client has to be shown of an event: the tables of docs/websocket.md, told a second time.
import type { ChatEvent, MessageSent } from '../../schemas/generated/events.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { subjectOf } from './folded-log.ts';

export type ExpectedFrame = { event: string; data: object };

/** Every event has a frame, so that every version reaches a socket. */
export function expectedFrame(event: ChatEvent): ExpectedFrame {
  const { roomId, metadata } = event;
  const by = subjectOf(metadata);
  const common = { roomId, version: metadata.version, timestamp: timestampOf(metadata.occurredAt) };
  switch (event.type) {
    case 'RoomCreated': {
      const { spaceId, name, description, isPrivate } = event;
      return { event: SERVER_FRAMES.roomCreated, data: { ...common, ...by, spaceId, name, description, isPrivate } };
    }
    case 'RoomDetailsEdited': {
      const { name, description } = event.after;
      return { event: SERVER_FRAMES.roomDetailsChanged, data: { ...common, ...by, name, description } };
    }
    case 'RoomArchived':
      return { event: SERVER_FRAMES.roomArchived, data: { ...common, ...by } };
    case 'MemberInvited':
      return { event: SERVER_FRAMES.memberInvited, data: { ...common, ...by, invitedUserId: event.userId } };
    case 'MemberJoined':
    case 'MemberLeft': {
      const { userId, username } = event;
      const name = event.type === 'MemberJoined' ? SERVER_FRAMES.memberJoined : SERVER_FRAMES.memberLeft;
      return { event: name, data: { ...common, userId, username } };
    }
    case 'MessageSent':
      return { event: SERVER_FRAMES.receiveMessage, data: expectedMessage(event) };
  }
}

/** A message as frames, pages and the hot cache show it. */
export function expectedMessage(event: MessageSent): object {
  const { metadata, roomId, messageId, text, replyTo, originalTime } = event;
  const { userId, username } = subjectOf(metadata);
  return {
    id: messageId,
    message: text,
    userId,
    username,
    timestamp: timestampOf(metadata.occurredAt),
    roomId,
    version: metadata.version,
    replyTo,
    originalTime: originalTime === null ? null : timestampOf(originalTime),
    commandId: metadata.commandId,
  };
}

function timestampOf(ms: number): string {
  return new Date(ms).toISOString();
}
