// Made by `npm run generate` from schemas/events/superseded/*.avsc. Do not edit. Only event-log/codec/upcast.ts may know them.

import type { EventMetadata } from './events.ts';

/** The owner gave the room another name or description. */
export type RoomDetailsChanged = {
  type: 'RoomDetailsChanged';
  /** What every event says about itself. */
  metadata: EventMetadata;
  /** Id of the room this happened in. */
  roomId: string;
  /** Shown name of the room from now on. */
  name: string;
  /** Description of the room from now on. */
  description: string;
};

export type SupersededEvent = RoomDetailsChanged;

export const SUPERSEDED_TYPES = ['RoomDetailsChanged'] as const;

