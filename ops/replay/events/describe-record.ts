// A record of the log as a line for people and as an object for programs: whole where it is an event, else what can be said of it.
import type { Codec } from '../../../event-log/codec/codec.ts';
import { decodeValue } from '../../../event-log/codec/decode-batch.ts';
import type { Decoded } from '../../../event-log/codec/decoders.ts';
import type { InspectedRecord } from '../../../event-log/event-log.ts';
import { positionOf } from '../../../schemas/commands.ts';
import type { ChatEvent } from '../../../schemas/generated/events.ts';
import { toTimestamp } from '../../../schemas/views.ts';
import { printable } from '../output.ts';

export type DescribedRecord = {
  /** One line without control characters: what others wrote must not steer the terminal. */
  line: string;
  json: object;
  /** Null where the bytes are no event that this build knows. A void record may hold one. */
  event: ChatEvent | null;
};

/** Code points of a text, and bytes of what cannot be decoded, that a line shows. */
const TEXT_CODE_POINTS = 80;
const HEX_BYTES = 32;

/** Throws SchemaSourceError where a schema must be asked for and cannot be had. */
export async function describeRecord(
  codec: Codec,
  partition: number,
  record: InspectedRecord,
): Promise<DescribedRecord> {
  const decoded = record.value === null ? null : await decodeValue(codec, record.value);
  const event = decoded !== null && 'event' in decoded ? decoded.event : null;
  const { offset, key, is, appendedAt } = record;
  const columns = [
    positionOf(partition, offset).padEnd(10),
    toTimestamp(appendedAt),
    ...(decoded === null || record.value === null ? [nameOf(record)] : contentColumns(key, decoded, record.value)),
    ...(record.is === 'void' ? [`[void: ${predictionOf(record.predicted)}]`] : []),
  ];
  const json = {
    partition,
    offset,
    appendedAt: toTimestamp(appendedAt),
    key,
    is,
    ...(record.is === 'void' ? { predicted: record.predicted } : {}),
    ...(decoded === null || record.value === null ? {} : contentJson(decoded, record.value)),
  };
  return { line: printable(columns.join('  ').trimEnd()), json, event };
}

/** What a record without a value is called. */
function nameOf({ is, key }: InspectedRecord): string {
  return is === 'barrier' ? 'barrier' : `no value  ${key ?? 'no key'}`;
}

function predictionOf(predicted: readonly string[]): string {
  return predicted.length === 0 ? 'predicted no offset' : `predicted offset ${predicted.join(' and ')}`;
}

function contentColumns(key: string | null, decoded: Decoded, value: Buffer): string[] {
  if ('event' in decoded) return eventColumns(decoded.event);
  const hex = `${value.toString('hex', 0, HEX_BYTES)}${value.length > HEX_BYTES ? '…' : ''}`;
  const what = 'unknownType' in decoded ? `unknown type ${decoded.unknownType}` : 'undecodable'.padEnd(18);
  const reason = 'unknownType' in decoded ? [] : [decoded.undecodable.message];
  return [what, key ?? 'no key', ...reason, hex];
}

function eventColumns({ type, metadata, roomId: _, ...rest }: ChatEvent): string[] {
  const { stream, version, actor, onBehalfOf } = metadata;
  const who = onBehalfOf === null ? actor.userId : `${onBehalfOf.userId} (by ${actor.userId})`;
  return [type.padEnd(18), `${stream} #${version}`, `${who}:`, ...Object.entries(rest).flatMap(toAttribute)];
}

/** Every event is shown by the fields that are its own, so that a new type needs nothing here. */
function toAttribute([name, value]: [string, unknown]): string[] {
  if (value === null || value === '') return [];
  const points = typeof value === 'string' ? [...value] : [];
  const short = points.length > TEXT_CODE_POINTS ? `${points.slice(0, TEXT_CODE_POINTS).join('')}…` : value;
  return [`${name}=${JSON.stringify(short)}`];
}

function contentJson(decoded: Decoded, value: Buffer): object {
  if ('event' in decoded) return { event: decoded.event };
  const hex = value.toString('hex');
  if ('unknownType' in decoded) return { unknownType: decoded.unknownType, hex };
  const { reason, schemaId } = decoded.undecodable;
  return { undecodable: { reason, schemaId }, hex };
}
