// Schemas without a registry: the list of versions in the schema folder, which only grows, gives every schema its id.
import { readFileSync } from 'node:fs';
import type { AvroRecord } from '../../schemas/load.ts';
import type { SchemaSource } from './schema-source.ts';

const VERSIONS = new URL('../../schemas/generated/versions.json', import.meta.url);

/** The ids of schemas/generated/versions.json. An id that is not listed there stands for nothing. */
export function folderSchemas(): SchemaSource {
  return {
    load: async () => readSchemaVersions(),
    find: async () => null,
  };
}

/** Every schema version there was, in the order they came. */
export function readSchemaVersions(): { id: number; type: string; schema: AvroRecord }[] {
  return JSON.parse(readFileSync(VERSIONS, 'utf8')) as { id: number; type: string; schema: AvroRecord }[];
}
