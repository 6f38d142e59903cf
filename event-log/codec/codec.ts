// Events as bytes, in Confluent's wire format: a zero byte, the writer's schema id in 4 bytes, Avro. Any reader that has the
// registry can decode it. Both ways are synchronous: ids are known from the start, and an id that a newer node wrote with is
// learnt apart from decoding (`learn`, decode-batch.ts), so that no lookup waits in the hot path.
import assert from 'node:assert/strict';
import type avro from 'avsc';
import { type Clock, systemClock } from '../../platform/clock.ts';
import { type ChatEvent, EVENT_TYPES } from '../../schemas/generated/events.ts';
import { UnknownEventTypeError, UnknownSchemaError } from './decode-errors.ts';
import { Decoders, HEADER_BYTES, MAGIC_BYTE, type Tried, toWriterType } from './decoders.ts';
import { Learner } from './learner.ts';
import type { SchemaSource } from './schema-source.ts';

export type Codec = {
  /** Throws where the event does not have the shape of its schema, which is a bug. */
  encode(event: ChatEvent): Buffer;
  /** Throws UnknownSchemaError, UnknownEventTypeError or DecodeError. */
  decode(value: Buffer): ChatEvent;
  /** The same without exceptions. */
  tryDecode(value: Buffer): Tried;
  /**
   * Fetches the schema of an id that a newer node wrote with. After it, tryDecode gives a definite answer for the id, also
   * where there is no such schema, which is remembered for half a minute. Throws SchemaSourceError when the source cannot be
   * asked.
   */
  learn(schemaId: number): Promise<void>;
};

/** Loads the schemas. Throws SchemaSourceError. */
export async function openCodec(source: SchemaSource, clock: Clock = systemClock): Promise<Codec> {
  const known = await source.load();
  const writers = new Map<string, Writer>();
  for (const type of EVENT_TYPES) {
    const newest = known.findLast(({ schema }) => schema.name === type);
    assert.ok(newest, `the source has no schema for ${type}`);
    writers.set(type, { id: newest.id, type: toWriterType(newest.schema) });
  }
  const decoders = new Decoders(known);
  const learner = new Learner({ source, decoders, clock });
  const scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
  return {
    encode: (event) => {
      const writer = writers.get(event.type);
      assert.ok(writer, `there is no schema for ${event.type}`);
      return encodeWith(writer, event, scratch);
    },
    tryDecode: (value) => decoders.decode(value),
    decode: (value) => orThrow(decoders.decode(value)),
    learn: (schemaId) => learner.learn(schemaId),
  };
}

/** Larger events than this are rare and get a buffer of their own. */
const SCRATCH_BYTES = 64 * 1024;

function orThrow(tried: Tried): ChatEvent {
  if ('event' in tried) return tried.event;
  if ('undecodable' in tried) throw tried.undecodable;
  if ('unknownSchema' in tried) throw new UnknownSchemaError(tried.unknownSchema);
  throw new UnknownEventTypeError(`there is no event type ${tried.unknownType} in this build`);
}

type Writer = { id: number; type: avro.Type };

function encodeWith(writer: Writer, event: ChatEvent, scratch: Buffer): Buffer {
  let buffer = scratch;
  let end = writer.type.encode(event, buffer, HEADER_BYTES);
  if (end < 0) {
    // The negative number is how many bytes were missing.
    buffer = Buffer.allocUnsafe(buffer.length - end);
    end = writer.type.encode(event, buffer, HEADER_BYTES);
  }
  buffer[0] = MAGIC_BYTE;
  buffer.writeInt32BE(writer.id, 1);
  return Buffer.from(buffer.subarray(0, end));
}
