// What an entry of the table of REST operations says (schemas/rest-operations.ts), and the codes that many of them share.
import type { z } from 'zod';
import type { RejectionCode } from './rejections.ts';

/** Headers of answers that mean something to callers; what they say: documents/openapi.ts. */
export type AnswerHeader = 'x-position' | 'x-lag-events' | 'x-cache' | 'ETag';

export type RestAnswerEntry = {
  schema: z.ZodType;
  /** `application/json` where it is left out. */
  mediaType?: string;
  /** What the schema takes. */
  example: unknown;
  headers?: readonly AnswerHeader[];
};

export type RestOperation = {
  method: 'GET' | 'POST';
  /** Parameters in braces. */
  path: string;
  group: 'Rooms' | 'Messages' | 'Running' | 'Documents';
  /** One sentence. */
  does: string;
  /** More sentences, where there is more to say. */
  notes?: string;
  needsToken: boolean;
  /** Whether it takes `x-min-position`. */
  waitsForPosition?: boolean;
  params?: z.ZodObject;
  query?: z.ZodObject;
  /** Request headers beside those that every request may have. */
  headers?: z.ZodObject;
  body?: { schema: z.ZodType<object>; example: object };
  /** By status. Refusals are not among them: they follow from the codes. */
  answers: Readonly<Record<number, RestAnswerEntry>>;
  codes: readonly RejectionCode[];
};

export const TOKEN_CODES = ['token_missing', 'token_invalid', 'token_expired'] as const;
export const BODY_CODES = ['malformed_json', 'invalid_request', 'body_too_large', 'unsupported_media_type'] as const;

/** Of everything that writes. */
export const WRITE_CODES = [
  ...TOKEN_CODES,
  ...BODY_CODES,
  'operator_only',
  'rate_limited',
  'busy',
  'log_unavailable',
  'partition_moving',
  'unavailable',
  'internal',
] as const satisfies readonly RejectionCode[];

/** Of everything that reads. */
export const READ_CODES = [
  ...TOKEN_CODES,
  'invalid_request',
  'projection_behind',
  'busy',
  'unavailable',
  'internal',
] as const satisfies readonly RejectionCode[];
