// Zod schemas as JSON Schema, with references among those that have a name in the document.
import { z } from 'zod';

export type JsonSchema = Record<string, unknown>;

export type JsonSchemaOptions = {
  /** By name: these stand once in the document, at `#/components/schemas/<name>`, and are referred to. */
  named: Readonly<Record<string, z.ZodType>>;
  /** These stand where they are used. */
  others: readonly z.ZodType[];
  /** What a caller may send (defaults may be left out), or what they get. */
  io: 'input' | 'output';
  /** OpenAPI 3.1 goes by draft 2020-12, AsyncAPI 3 by draft 7. */
  target: 'draft-2020-12' | 'draft-07';
  /**
   * Whether objects may hold fields that do not stand there. In what callers send never: they are refused. What callers get is
   * open in the documents that are served, so that a field more breaks no client that was generated from them; tests close it.
   */
  isOpen: boolean;
};

export type JsonSchemas = {
  /** For `components.schemas`. */
  components: Record<string, JsonSchema>;
  /** The schema where it is used: a reference if it has a name. It must be one of those that were given. */
  of(schema: z.ZodType): JsonSchema;
};

export function toJsonSchemas({ named, others, io, target, isOpen }: JsonSchemaOptions): JsonSchemas {
  const registry = z.registry<{ id: string }>();
  for (const [name, schema] of Object.entries(named)) registry.add(schema, { id: name });
  for (const [index, schema] of [...new Set(others)].entries()) {
    if (!registry.has(schema)) registry.add(schema, { id: `${OTHER}${index}` });
  }
  const { schemas } = z.toJSONSchema(registry, {
    uri: referenceTo,
    io,
    target,
    override: ({ jsonSchema }) => adapt(jsonSchema as JsonSchema, isOpen),
  });
  const byId = Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema] as const);
  return {
    components: Object.fromEntries(byId.filter(([id]) => !id.startsWith(OTHER))),
    of(schema) {
      const id = registry.get(schema)?.id ?? '';
      if (!id.startsWith(OTHER)) return { $ref: referenceTo(id) };
      return new Map(byId).get(id) ?? {};
    },
  };
}

/** No name of a schema begins so. */
const OTHER = '-';

function referenceTo(name: string): string {
  return `#/components/schemas/${name}`;
}

/** Metadata that stands for the whole schema: for a query parameter whose text is read as something else (schemas/queries.ts). */
const READ_AS = 'readAs';

function adapt(schema: JsonSchema, isOpen: boolean): void {
  const readAs = schema[READ_AS];
  if (readAs !== undefined) {
    const { description } = schema;
    for (const key of Object.keys(schema)) delete schema[key];
    Object.assign(schema, readAs, description === undefined ? {} : { description });
  }
  // The pattern only says the format again, in 200 characters; the numbers are what JavaScript can count to.
  if (schema.format === 'date-time') delete schema.pattern;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (isOpen && schema.additionalProperties === false) delete schema.additionalProperties;
}
