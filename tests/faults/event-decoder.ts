// Bytes of the log to events, with nothing of the product's codec: the wire format (a zero byte, the schema's id in 4 bytes, Avro),
// and schemas from wherever the run's writers had them.
import { readFileSync } from 'node:fs';
import avro from 'avsc';
import type { ChatEvent } from '../../schemas/generated/events.ts';

/** The writer's schema of an id; throws where there is none. */
export type SchemaOf = (id: number) => Promise<object>;
/** Rejects where the bytes are no event. */
export type EventDecoder = (value: Buffer) => Promise<ChatEvent>;

const HEADER_BYTES = 5;

export function createEventDecoder(schemaOf: SchemaOf): EventDecoder {
  const typeById = new Map<number, avro.Type>();
  return async (value) => {
    if (value.length < HEADER_BYTES || value[0] !== 0) throw new Error('not in the wire format');
    const id = value.readInt32BE(1);
    let type = typeById.get(id);
    if (type === undefined) {
      type = avro.Type.forSchema((await schemaOf(id)) as avro.Schema);
      typeById.set(id, type);
    }
    const decoded = type.decode(value, HEADER_BYTES) as { value: unknown; offset: number };
    if (decoded.offset !== value.length) throw new Error('too short, or bytes left over');
    // A copy as JSON has it: what avsc makes are instances of its own classes, which equal nothing else.
    const fields = JSON.parse(JSON.stringify(decoded.value)) as object;
    return { type: (type.name ?? '').replace(/^.*\./, ''), ...fields } as ChatEvent;
  };
}

export function registrySchemaOf(registryUrl: string): SchemaOf {
  return async (id) => {
    const response = await fetch(`${registryUrl}/schemas/ids/${id}`, { signal: AbortSignal.timeout(10_000) });
    if (!response.ok) throw new Error(`the registry has no schema ${id}: ${response.status}`);
    const { schema } = (await response.json()) as { schema: string };
    return JSON.parse(schema) as object;
  };
}

/** The ids that a log in PostgreSQL is written with: those of the committed list. */
export function listedSchemaOf(): SchemaOf {
  const file = new URL('../../schemas/generated/versions.json', import.meta.url);
  const listed = JSON.parse(readFileSync(file, 'utf8')) as { id: number; schema: object }[];
  return async (id) => {
    const found = listed.find((version) => version.id === id);
    if (found === undefined) throw new Error(`schema ${id} is not listed`);
    return found.schema;
  };
}
