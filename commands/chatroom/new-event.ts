// An event as a decision makes it: what happened. Who, when and which number are added by the same code for all of them.
import type { Command } from '../../schemas/commands.ts';
import type {
  ChatEvent,
  MemberInvited,
  MemberJoined,
  MemberLeft,
  MessageSent,
  RoomArchived,
  RoomCreated,
  RoomDetailsEdited,
} from '../../schemas/generated/events.ts';

export type NewEvent =
  | Omit<RoomCreated, 'metadata'>
  | Omit<RoomDetailsEdited, 'metadata'>
  | Omit<RoomArchived, 'metadata'>
  | Omit<MemberInvited, 'metadata'>
  | Omit<MemberJoined, 'metadata'>
  | Omit<MemberLeft, 'metadata'>
  | Omit<MessageSent, 'metadata'>;

/** The whole event: `version` is its number in `stream`, `eventId` a UUIDv7. */
export function withMetadata(
  event: NewEvent,
  command: Command,
  place: { stream: string; version: number; eventId: string },
): ChatEvent {
  return {
    ...event,
    metadata: {
      eventId: place.eventId,
      stream: place.stream,
      version: place.version,
      actor: command.actor,
      onBehalfOf: command.onBehalfOf,
      occurredAt: command.now,
      commandId: command.commandId,
      correlationId: command.correlationId,
    },
  };
}
