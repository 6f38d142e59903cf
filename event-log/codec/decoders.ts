// From bytes to events. There is one decoder per writer's schema id, made once: a resolver from that schema to our newest one of
// the same name, and the upcaster of the name where another type has taken its place. (The registry client makes a resolver for
// every message.)
import avro from 'avsc';
import { type ChatEvent, EVENT_TYPES } from '../../schemas/generated/events.ts';
import { SUPERSEDED_TYPES } from '../../schemas/generated/superseded-events.ts';
import { type AvroRecord, EVENT_NAMESPACE } from '../../schemas/load.ts';
import { DecodeError } from './decode-errors.ts';
import type { KnownSchema } from './schema-source.ts';
import { type EventOfAnyBuild, upcast } from './upcast.ts';

/**
 * What a record's bytes turned out to be. `unknownType`: a kind of event that only newer nodes know; readers pass over it.
 * `undecodable`: a poison record, as a value, because it must not stop the records behind it. `unknownSchema`: an id that
 * `learn` has to be asked for first.
 */
export type Decoded = { event: ChatEvent } | { unknownType: string } | { undecodable: DecodeError };
export type Tried = Decoded | { unknownSchema: number };

export const MAGIC_BYTE = 0;
export const HEADER_BYTES = 5;

/** Null: the decoder does not stand for its id any more. */
type Decoder = (value: Buffer) => Decoded | null;

export class Decoders {
  readonly #readerByName = new Map<string, avro.Type>();
  readonly #decoderById = new Map<number, Decoder>();

  /** Versions of one type in their order: the last one is what readers get. */
  constructor(known: readonly KnownSchema[]) {
    const eventTypes: readonly string[] = [...EVENT_TYPES, ...SUPERSEDED_TYPES];
    for (const { schema } of known) {
      if (eventTypes.includes(schema.name))
        this.#readerByName.set(`${EVENT_NAMESPACE}.${schema.name}`, toReaderType(schema));
    }
    for (const { id, schema } of known) this.add(id, schema);
  }

  decode(value: Buffer): Tried {
    if (value.length < HEADER_BYTES || value[0] !== MAGIC_BYTE) {
      return { undecodable: new DecodeError('not_framed', null) };
    }
    const schemaId = value.readInt32BE(1);
    return this.#decoderById.get(schemaId)?.(value) ?? { unknownSchema: schemaId };
  }

  add(id: number, writerSchema: AvroRecord): void {
    this.#decoderById.set(id, this.#toDecoder(id, writerSchema));
  }

  /** Says of an id that nothing stands behind it, for as long as `isStillMissing`. */
  addMissing(id: number, isStillMissing: () => boolean): void {
    const undecodable = new DecodeError('no_such_schema', id);
    this.#decoderById.set(id, () => (isStillMissing() ? { undecodable } : null));
  }

  remove(id: number): void {
    this.#decoderById.delete(id);
  }

  #toDecoder(id: number, writerSchema: AvroRecord): Decoder {
    try {
      const writer = toWriterType(writerSchema);
      const reader = this.#readerByName.get(writer.name ?? '');
      if (!reader) return () => ({ unknownType: shortName(writer.name ?? '') });
      const resolver = reader.createResolver(writer);
      const isSuperseded = SUPERSEDED_NAMES.has(reader.name ?? '');
      return (value) => decodeWith(reader, resolver, id, value, isSuperseded ? upcast : asItIs);
    } catch (error) {
      const undecodable = new DecodeError('incompatible_schema', id, error);
      return () => ({ undecodable });
    }
  }
}

/** Event types are named without our namespace; a record of another namespace keeps it, because it is another record. */
function shortName(fullName: string): string {
  return fullName.startsWith(`${EVENT_NAMESPACE}.`) ? fullName.slice(EVENT_NAMESPACE.length + 1) : fullName;
}

const SUPERSEDED_NAMES = new Set(SUPERSEDED_TYPES.map((type) => `${EVENT_NAMESPACE}.${type}`));

function asItIs(event: EventOfAnyBuild): ChatEvent {
  // Of the decoders of types that are still written, none gives another.
  return event as ChatEvent;
}

function decodeWith(
  reader: avro.Type,
  resolver: avro.Resolver,
  id: number,
  value: Buffer,
  toEvent: (decoded: EventOfAnyBuild) => ChatEvent,
): Decoded {
  try {
    const { value: decoded, offset } = reader.decode(value, HEADER_BYTES, resolver) as {
      value: EventOfAnyBuild;
      offset: number;
    };
    if (offset === value.length) return { event: toEvent(decoded) };
    return { undecodable: new DecodeError('malformed', id, offset < 0 ? 'bytes are missing' : 'bytes are left over') };
  } catch (error) {
    return { undecodable: new DecodeError('malformed', id, error) };
  }
}

/** The type that encodes, and that a resolver reads from. */
export function toWriterType(schema: AvroRecord): avro.Type {
  return avro.Type.forSchema(schema as avro.Schema);
}

/**
 * The type that decoded events have: the schema with a field `type` in front, which no writer has and whose default, the
 * record's name, the resolver fills in. Records become plain objects, as `ChatEvent` promises: their constructors get the plain
 * prototype, because copying every decoded event into a plain one would take as long again as decoding it.
 */
function toReaderType(schema: AvroRecord): avro.Type {
  const tag = { name: 'type', type: 'string', default: schema.name };
  const registry: Record<string, avro.Type> = {};
  const type = avro.Type.forSchema({ ...schema, fields: [tag, ...schema.fields] } as avro.Schema, {
    registry,
    omitRecordMethods: true,
  });
  for (const named of Object.values(registry)) {
    if (named instanceof avro.types.RecordType) named.recordConstructor.prototype = Object.prototype;
  }
  return type;
}
