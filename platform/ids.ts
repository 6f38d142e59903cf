// Ids are made here and passed in. UUIDv7 (RFC 9562) sorts by time, which keeps indexes on them dense.
import { createHash, randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

export type Ids = { next(): string };

const RANDOM_BYTES = 16;
const POOLED_IDS = 256;

export const uuidv7Ids: Ids = { next: pooledV7() };

/** Asking the system for the randomness of one id costs more than everything else about it, so it is fetched for many. */
function pooledV7(): () => string {
  const pool = new Uint8Array(RANDOM_BYTES * POOLED_IDS);
  let used = pool.length;
  return () => {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    used += RANDOM_BYTES;
    return v7({ random: pool.subarray(used - RANDOM_BYTES, used) });
  };
}

/** A UUID (version 8, RFC 9562) that is the same for the same words: a repeated command must make the same id again. */
export function idFromWords(...words: string[]): string {
  const digest = createHash('sha256').update(JSON.stringify(words)).digest();
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x80;
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80;
  const hex = digest.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
