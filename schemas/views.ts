// How events show themselves in public JSON. One function a view, used by every role, so that a message looks the same in the
// answer to its sender, in a live frame, from the hot cache and from PostgreSQL.
import { subjectOf } from './commands.ts';
import type { ChatEvent, EventMetadata, MessageSent } from './generated/events.ts';
import type { MessageView, RoomEventData } from './wire.ts';

/** RFC 3339 in UTC with milliseconds. */
export function toTimestamp(ms: number): string {
  return new Date(ms).toISOString();
}

export function messageView(event: MessageSent): MessageView {
  const { metadata } = event;
  const sender = subjectOf(metadata);
  return {
    id: event.messageId,
    message: event.text,
    userId: sender.userId,
    username: sender.username,
    timestamp: toTimestamp(metadata.occurredAt),
    roomId: event.roomId,
    version: metadata.version,
    replyTo: event.replyTo,
    originalTime: event.originalTime === null ? null : toTimestamp(event.originalTime),
    commandId: metadata.commandId,
  };
}

/** What the frame of every room event has in common; `userId` is who did it. */
export function roomEventData(event: ChatEvent): RoomEventData {
  const metadata: EventMetadata = event.metadata;
  const subject = subjectOf(metadata);
  return {
    roomId: event.roomId,
    version: metadata.version,
    userId: subject.userId,
    username: subject.username,
    timestamp: toTimestamp(metadata.occurredAt),
  };
}
