// Why a record's bytes are not, or not yet, an event.

/** The bytes are no event. `reason` is for metrics and for who repairs it. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  readonly code = 'undecodable';
  readonly retryable = false;
  readonly reason: 'not_framed' | 'no_such_schema' | 'incompatible_schema' | 'malformed';
  readonly schemaId: number | null;

  constructor(reason: DecodeError['reason'], schemaId: number | null, cause?: unknown) {
    super(`the record cannot be decoded: ${reason}, schema id ${schemaId}`, { cause });
    this.reason = reason;
    this.schemaId = schemaId;
  }
}

/** The record was written with a schema that is not known yet: `learn(schemaId)`, then decode again. */
export class UnknownSchemaError extends Error {
  override readonly name = 'UnknownSchemaError';
  readonly code = 'unknown_schema';
  readonly retryable = true;
  readonly schemaId: number;

  constructor(schemaId: number) {
    super(`the schema id ${schemaId} is not known yet`);
    this.schemaId = schemaId;
  }
}

/** A kind of event that this build does not have. */
export class UnknownEventTypeError extends Error {
  override readonly name = 'UnknownEventTypeError';
  readonly code = 'unknown_event_type';
  readonly retryable = false;
}
