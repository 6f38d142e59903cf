// Where the codec has its schemas and their ids from: the schema folder (folder-schemas.ts) or a registry (registry-schemas.ts).
import type { AvroRecord } from '../../schemas/load.ts';

/** A schema by the id that stands in front of every record written with it. */
export type KnownSchema = { id: number; schema: AvroRecord };

export type SchemaSource = {
  /**
   * Every version of every event schema that this build knows, with its id, older versions of a type before newer ones.
   * Throws SchemaSourceError.
   */
  load(): Promise<KnownSchema[]>;
  /** The schema of an id that this build does not know; null when there is none. Throws SchemaSourceError. */
  find(schemaId: number): Promise<AvroRecord | null>;
};

/** Schemas could not be had: `retryable` tells a source that cannot be reached from one that refuses. */
export class SchemaSourceError extends Error {
  override readonly name = 'SchemaSourceError';
  readonly code = 'schema_source';
  readonly retryable: boolean;

  constructor(message: string, options: { cause: unknown; retryable: boolean }) {
    super(message, { cause: options.cause });
    this.retryable = options.retryable;
  }
}
