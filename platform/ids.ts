// Ids are made here and passed in. UUIDv7 (RFC 9562) sorts by time, which keeps indexes on them dense.
import { createHash } from 'node:crypto';
import { v7 } from 'uuid';

export type Ids = { next(): string };

export const uuidv7Ids: Ids = { next: () => v7() };

/** A UUID (version 8, RFC 9562) that is the same for the same words: a repeated command must make the same id again. */
export function idFromWords(...words: string[]): string {
  const digest = createHash('sha256').update(JSON.stringify(words)).digest();
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x80;
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80;
  const hex = digest.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
