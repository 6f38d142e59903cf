// Reads schemas/events/*.avsc and makes every event schema self-contained, because a reader that has only the registry must be
// able to decode the topic: shared records are inlined at their first use and named at the later ones, as Avro wants it.
import { readdirSync, readFileSync } from 'node:fs';

export type AvroField = { name: string; type: AvroSchema; doc?: string; default?: unknown };
export type AvroRecord = { type: 'record'; name: string; namespace?: string; doc?: string; fields: AvroField[] };
export type AvroLogical = { type: string; logicalType: string };
export type AvroSchema = string | AvroRecord | AvroLogical | AvroSchema[];

export const EVENT_NAMESPACE = 'roomlog.events';
const SHARED_RECORDS = ['Actor', 'EventMetadata', 'RoomDetails'];
const EVENTS = new URL('./events/', import.meta.url);
/** Event types that are no longer written. Their schemas stay as they were, because logs hold records of them. */
const SUPERSEDED = new URL('./events/superseded/', import.meta.url);

/** All records of the folder by full name, as they are written there. */
export function loadRecords(folder = EVENTS): Map<string, AvroRecord> {
  const recordByName = new Map<string, AvroRecord>();
  for (const file of readdirSync(folder).sort()) {
    if (!file.endsWith('.avsc')) continue;
    const record = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as AvroRecord;
    if (`${record.name}.avsc` !== file) throw new Error(`schemas/events/${file} holds a record named ${record.name}`);
    recordByName.set(`${EVENT_NAMESPACE}.${record.name}`, record);
  }
  return recordByName;
}

/** The self-contained schema of every event type by its short name, in alphabetical order. */
export function loadEventSchemas(): Map<string, AvroRecord> {
  return selfContained(loadRecords().values());
}

/** The same of the types that were superseded by others. */
export function loadSupersededSchemas(): Map<string, AvroRecord> {
  return selfContained(loadSupersededRecords().values());
}

/** Those records as they are written there. */
export function loadSupersededRecords(): Map<string, AvroRecord> {
  return loadRecords(SUPERSEDED);
}

function selfContained(wanted: Iterable<AvroRecord>): Map<string, AvroRecord> {
  const records = loadRecords();
  const schemaByType = new Map<string, AvroRecord>();
  for (const record of wanted) {
    if (SHARED_RECORDS.includes(record.name)) continue;
    schemaByType.set(record.name, inline(record, records, new Set()));
  }
  return schemaByType;
}

/** The schemas of all event types for one union of them: shared records are inlined where the first of them needs one. */
export function loadEventUnion(): AvroRecord[] {
  const records = loadRecords();
  const seen = new Set<string>();
  const events = [...records.values()].filter(({ name }) => !SHARED_RECORDS.includes(name));
  return events.map((record) => inline(record, records, seen));
}

function inline(record: AvroRecord, records: Map<string, AvroRecord>, seen: Set<string>): AvroRecord {
  seen.add(`${EVENT_NAMESPACE}.${record.name}`);
  return {
    ...record,
    fields: record.fields.map((field) => ({ ...field, type: inlineType(field.type, records, seen) })),
  };
}

function inlineType(type: AvroSchema, records: Map<string, AvroRecord>, seen: Set<string>): AvroSchema {
  if (Array.isArray(type)) return type.map((branch) => inlineType(branch, records, seen));
  if (typeof type !== 'string' || seen.has(type)) return type;
  const shared = records.get(type);
  return shared ? inline(shared, records, seen) : type;
}
