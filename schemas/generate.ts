// `npm run generate`: makes schemas/generated/ from schemas/events/: the TypeScript types, those of superseded events apart, and the
// list of every schema version there ever was. The list only grows: an id, once given, names the same bytes for ever, because an
// embedded log holds records written with it. What is made of the codes stands in generate-codes.ts.
import { readFileSync, writeFileSync } from 'node:fs';
import avro from 'avsc';
import { generateCodesPage, generateWebCodes } from './generate-codes.ts';
import {
  type AvroRecord,
  type AvroSchema,
  loadEventSchemas,
  loadRecords,
  loadSupersededRecords,
  loadSupersededSchemas,
} from './load.ts';

export type SchemaVersion = { id: number; type: string; schema: AvroRecord };

const TYPES_FILE = new URL('./generated/events.ts', import.meta.url);
const SUPERSEDED_FILE = new URL('./generated/superseded-events.ts', import.meta.url);
const CODES_PAGE = new URL('../docs/codes.md', import.meta.url);
const WEB_CODES = new URL('../web/codes.js', import.meta.url);
const VERSIONS_FILE = new URL('./generated/versions.json', import.meta.url);

/** The text of generated/events.ts. */
export function generateTypes(): string {
  const records = [...loadRecords().values()];
  const eventTypes = [...loadEventSchemas().keys()];
  const parts = records.map((record) => recordToType(record, eventTypes.includes(record.name)));
  return [
    '// Made by `npm run generate` from schemas/events/*.avsc. Do not edit.',
    ...parts,
    `export type ChatEvent = ${eventTypes.join(' | ')};`,
    `export const EVENT_TYPES = [${eventTypes.map((type) => `'${type}'`).join(', ')}] as const;`,
    'export type EventType = (typeof EVENT_TYPES)[number];',
    `/** By record: what a field has in events that were stored before it came. */
export const FIELD_DEFAULTS: Record<string, object> = ${JSON.stringify(defaultsOf(records))};`,
    '',
  ].join('\n\n');
}

/** The text of generated/superseded-events.ts. */
export function generateSupersededTypes(): string {
  const records = [...loadSupersededRecords().values()];
  const parts = records.map((record) => recordToType(record, true));
  const names = records.map(({ name }) => name);
  const shared = [...loadRecords().values()]
    .map(({ name }) => name)
    .filter((name) => parts.join().includes(`: ${name};`));
  return [
    '// Made by `npm run generate` from schemas/events/superseded/*.avsc. Do not edit. Only event-log/codec/upcast.ts may know them.',
    `import type { ${shared.join(', ')} } from './events.ts';`,
    ...parts,
    `export type SupersededEvent = ${names.join(' | ')};`,
    `export const SUPERSEDED_TYPES = [${names.map((type) => `'${type}'`).join(', ')}] as const;`,
    '',
  ].join('\n\n');
}

/** Every schema version there was, and a new one for each event type whose schema is not the newest listed. */
export function generateVersions(known: SchemaVersion[]): SchemaVersion[] {
  const versions = [...known];
  for (const [type, schema] of [...loadEventSchemas(), ...loadSupersededSchemas()]) {
    const earlier = versions.filter((version) => version.type === type);
    const newest = earlier.at(-1);
    if (newest && JSON.stringify(newest.schema) === JSON.stringify(schema)) continue;
    for (const version of earlier) assertFullyCompatible(type, version.schema, schema);
    versions.push({ id: versions.length + 1, type, schema });
  }
  return versions;
}

export function readVersions(): SchemaVersion[] {
  try {
    return JSON.parse(readFileSync(VERSIONS_FILE, 'utf8')) as SchemaVersion[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Throws unless old readers can read the new schema and new readers the old one (FULL, applied to every earlier version). */
export function assertFullyCompatible(type: string, older: AvroRecord, newer: AvroRecord): void {
  const olderType = avro.Type.forSchema(older as avro.Schema);
  const newerType = avro.Type.forSchema(newer as avro.Schema);
  try {
    newerType.createResolver(olderType);
    olderType.createResolver(newerType);
  } catch (error) {
    throw new Error(`${type}.avsc is not fully compatible with an earlier version of itself`, { cause: error });
  }
}

/** Of the records that have any. */
function defaultsOf(records: readonly AvroRecord[]): Record<string, object> {
  const byRecord = records.map(({ name, fields }) => {
    const withDefault = fields.filter((field) => 'default' in field);
    return [name, Object.fromEntries(withDefault.map((field) => [field.name, field.default]))] as const;
  });
  return Object.fromEntries(byRecord.filter(([, defaults]) => Object.keys(defaults).length > 0));
}

function recordToType(record: AvroRecord, isEvent: boolean): string {
  const tag = isEvent ? [`  type: '${record.name}';`] : [];
  const fields = record.fields.map(
    (field) => `  /** ${field.doc ?? ''} */\n  ${field.name}: ${schemaToType(field.type)};`,
  );
  return `/** ${record.doc ?? ''} */\nexport type ${record.name} = {\n${[...tag, ...fields].join('\n')}\n};`;
}

function schemaToType(schema: AvroSchema): string {
  if (Array.isArray(schema)) return schema.map(schemaToType).join(' | ');
  if (typeof schema === 'object') return schemaToType('logicalType' in schema ? schema.type : schema.name);
  switch (schema) {
    case 'string':
    case 'boolean':
    case 'null':
      return schema;
    case 'long':
    case 'int':
    case 'double':
      return 'number';
    default:
      return schema.replace(/^.*\./, '');
  }
}

if (import.meta.main) {
  writeFileSync(TYPES_FILE, generateTypes());
  writeFileSync(SUPERSEDED_FILE, generateSupersededTypes());
  writeFileSync(CODES_PAGE, generateCodesPage());
  writeFileSync(WEB_CODES, generateWebCodes());
  writeFileSync(VERSIONS_FILE, `${JSON.stringify(generateVersions(readVersions()), null, 2)}\n`);
}
