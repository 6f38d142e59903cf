// Schemas in a registry that speaks Confluent's API. At start every version is registered, oldest first, under
// <topic>-<full name of the record> (TopicRecordNameStrategy: many event types in one topic), which gives its id; a version that
// is registered already keeps the one it has. FULL_TRANSITIVE, because new readers replay old events and old readers follow new
// writers while nodes are replaced one by one.
import registryClient from '@kafkajs/confluent-schema-registry';
import { withDeadline } from '../../platform/lifecycle.ts';
import { type AvroRecord, EVENT_NAMESPACE } from '../../schemas/load.ts';
import { readSchemaVersions } from './folder-schemas.ts';
import { type KnownSchema, type SchemaSource, SchemaSourceError } from './schema-source.ts';

export type RegistryOptions = { url: string; topic: string };

const COMPATIBILITY = registryClient.COMPATIBILITY.FULL_TRANSITIVE;
/** Milliseconds for one call with all its retries; the client itself would wait for an answer without end. */
const CALL_TIMEOUT_MS = 8_000;
const RETRY = { retries: 3, initialRetryTimeInSecs: 0.1, maxRetryTimeInSecs: 1, factor: 0.2, multiplier: 2 };

export function registrySchemas({ url, topic }: RegistryOptions): SchemaSource {
  const registry = new registryClient.SchemaRegistry({ host: url, clientId: 'roomlog', retry: RETRY });
  return {
    load: async () => {
      const known: KnownSchema[] = [];
      for (const { type, schema } of readSchemaVersions()) {
        const subject = `${topic}-${EVENT_NAMESPACE}.${type}`;
        known.push({ id: await register(registry, url, subject, schema), schema });
      }
      return known;
    },
    find: (schemaId) => find(url, schemaId),
  };
}

/** Asked directly: what the client returns is a type whose schema has lost its defaults, and it asks again for every 404. */
async function find(url: string, schemaId: number): Promise<AvroRecord | null> {
  try {
    const response = await fetch(`${url}/schemas/ids/${schemaId}`, { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
    if (response.status === 404) return null;
    if (!response.ok) throw toAnswerError(response);
    const { schema, schemaType = 'AVRO' } = (await response.json()) as { schema: string; schemaType?: string };
    return schemaType === 'AVRO' ? (JSON.parse(schema) as AvroRecord) : null;
  } catch (error) {
    throw toSourceError(`schema ${schemaId} could not be fetched`, error);
  }
}

async function register(
  registry: InstanceType<typeof registryClient.SchemaRegistry>,
  url: string,
  subject: string,
  schema: AvroRecord,
): Promise<number> {
  try {
    await requireCompatibility(url, subject);
    const type = registryClient.SchemaType.AVRO;
    const registered = await withDeadline(
      registry.register({ type, schema: JSON.stringify(schema) }, { subject, compatibility: COMPATIBILITY }),
      CALL_TIMEOUT_MS,
    );
    return registered.id;
  } catch (error) {
    throw toSourceError(`the schema of ${subject} could not be registered`, error);
  }
}

/**
 * Sets the subject's level before anything is registered in it. The client would do so only after the first version, and two
 * nodes that start together could then register versions that nobody has compared.
 */
async function requireCompatibility(url: string, subject: string): Promise<void> {
  const response = await fetch(`${url}/config/${encodeURIComponent(subject)}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ compatibility: COMPATIBILITY }),
    signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
  });
  // A registry that knows no level of a subject without versions says 404; the client sets it after registering then. 409 is what
  // Apicurio says to the slower one of two nodes that start together: the level is being set by the other, to the same.
  if (!response.ok && ![404, 409].includes(response.status)) throw toAnswerError(response);
}

function toAnswerError(response: Response): Error {
  return Object.assign(new Error(`the registry answered ${response.status}`), { status: response.status });
}

/** An answer from 400 to 499 is a refusal that will be repeated; no answer, or a failing registry, passes. */
function toSourceError(message: string, cause: unknown): SchemaSourceError {
  const status = statusOf(cause);
  const isRefusal = status !== undefined && status >= 400 && status < 500;
  const reason = cause instanceof Error ? `: ${cause.message}` : '';
  return new SchemaSourceError(`${message}${reason}`, { cause, retryable: !isRefusal });
}

function statusOf(error: unknown): number | undefined {
  return error instanceof Error && 'status' in error && typeof error.status === 'number' ? error.status : undefined;
}
