// How our own processes know each other: a bearer token that follows from a secret both have. It is not a user's token and
// none can be made from the other.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** The token of the given purpose, in hexadecimal. */
export function serviceToken(secret: string, purpose: string): string {
  return createHmac('sha256', secret).update(`roomlog service token: ${purpose}`).digest('hex');
}

/** Whether a caller sent that token; takes the same time for every wrong one. */
export function isServiceToken(given: string | undefined, expected: string): boolean {
  return given !== undefined && timingSafeEqual(digest(given), digest(expected));
}

/** Hashed first, because the comparison needs equal lengths and must not tell which length is right. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
