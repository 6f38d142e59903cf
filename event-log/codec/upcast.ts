// THE PLACE where events of earlier builds become events of this one. Two kinds of old events come here: those decoded from the log,
// whose fields the Avro resolver has completed already, and those stored as JSON in rows of the history, which are as they were when
// the row was written. Nothing behind this file ever sees a superseded type or misses a field.
import { type ChatEvent, FIELD_DEFAULTS } from '../../schemas/generated/events.ts';
import { SUPERSEDED_TYPES, type SupersededEvent } from '../../schemas/generated/superseded-events.ts';

/** An event as this or any earlier build had it. */
export type EventOfAnyBuild = ChatEvent | SupersededEvent;

/** Straight to today's event: when that is superseded in its turn, the compiler asks for another one here. */
type Upcasters = {
  [Type in SupersededEvent['type']]: (event: Extract<SupersededEvent, { type: Type }>) => ChatEvent;
};

const UPCASTERS: Upcasters = {
  RoomDetailsChanged: ({ metadata, roomId, name, description }) => ({
    type: 'RoomDetailsEdited',
    metadata,
    roomId,
    before: null,
    after: { name, description },
  }),
};

/** Pure, and the event itself where it is of a type that is still written. */
export function upcast(event: EventOfAnyBuild): ChatEvent {
  return isSuperseded(event) ? UPCASTERS[event.type](event) : event;
}

/**
 * The event that a stored row holds: `stored` is the JSON of what was an event when the row was written. Fields that came later get
 * the defaults that the log's reader gives them, so that a row reads like its record.
 */
export function readStoredEvent(stored: EventOfAnyBuild): ChatEvent {
  const metadata = { ...FIELD_DEFAULTS.EventMetadata, ...stored.metadata };
  return upcast({ ...FIELD_DEFAULTS[stored.type], ...stored, metadata });
}

function isSuperseded(event: EventOfAnyBuild): event is SupersededEvent {
  const types: readonly string[] = SUPERSEDED_TYPES;
  return types.includes(event.type);
}
