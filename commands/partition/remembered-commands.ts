// The answers to the newest commands of a partition's rooms, so that a repeated command gets the first one's. Bounded twice: by
// room, which is the promise (LIMITS.rememberedCommands), and by partition, which is the memory: about 250 bytes a command.
import { type Accepted, positionOf, subjectOf } from '../../schemas/commands.ts';
import type { Actor, ChatEvent } from '../../schemas/generated/events.ts';
import { fingerprintOfEvent } from './fingerprint.ts';

export type Remembered = {
  /** What the command was: the same commandId with another content is a mistake of its sender. */
  fingerprint: number;
  id: string;
  version: number;
  offset: number;
  occurredAt: number;
};

export class RememberedCommands {
  readonly #perRoom: number;
  readonly #perPartition: number;
  /** By stream, the stream written last at the end; in each by commandKey, the newest at the end. */
  readonly #byStream = new Map<string, Map<string, Remembered>>();
  #lastStream: string | undefined;
  #count = 0;

  constructor(bounds: { perRoom: number; perPartition: number }) {
    this.#perRoom = bounds.perRoom;
    this.#perPartition = bounds.perPartition;
  }

  get(stream: string, key: string): Remembered | undefined {
    return this.#byStream.get(stream)?.get(key);
  }

  /** Notes the command that led to this event; of several events of one command the last one's place is the answer. */
  note(stream: string, event: ChatEvent, offset: number): void {
    const room = this.#roomAtEnd(stream);
    const key = commandKey(event.metadata, event.metadata.commandId);
    if (!room.delete(key)) this.#count++;
    const { version, occurredAt } = event.metadata;
    room.set(key, { fingerprint: fingerprintOfEvent(event), id: idOf(event), version, offset, occurredAt });
    if (room.size > this.#perRoom) this.#forgetOldestOf(room);
    while (this.#count > this.#perPartition && this.#byStream.size > 1) this.#forgetOldestRoom();
  }

  #roomAtEnd(stream: string): Map<string, Remembered> {
    const room = this.#byStream.get(stream) ?? new Map<string, Remembered>();
    if (this.#lastStream !== stream) {
      this.#byStream.delete(stream);
      this.#byStream.set(stream, room);
      this.#lastStream = stream;
    }
    return room;
  }

  #forgetOldestOf(room: Map<string, Remembered>): void {
    for (const key of room.keys()) {
      room.delete(key);
      this.#count--;
      return;
    }
  }

  #forgetOldestRoom(): void {
    for (const [stream, room] of this.#byStream) {
      this.#byStream.delete(stream);
      this.#count -= room.size;
      return;
    }
  }
}

/**
 * Under what a command is remembered in its room: the user it counts for and that user's commandId. The separator cannot be
 * part of a user id.
 */
export function commandKey(who: { actor: Actor; onBehalfOf: Actor | null }, commandId: string): string {
  return `${subjectOf(who).userId}\0${commandId}`;
}

/** The id of what the event made. */
export function idOf(event: ChatEvent): string {
  return event.type === 'MessageSent' ? event.messageId : event.roomId;
}

/** The answer that the command got when it was new. */
export function rememberedAnswer(remembered: Remembered, roomId: string, partition: number): Accepted {
  const { id, version, offset, occurredAt } = remembered;
  return { roomId, id, version, position: positionOf(partition, offset), occurredAt, changed: true };
}
