// When a command may be sent again, and how long to wait before. Every command has its own commandId, so sending it again is safe
// whatever became of it the first time.
import type { RejectionCode } from '../../schemas/rejections.ts';

/** Refusals that say "not now" rather than "no". */
const NOT_NOW: ReadonlySet<string> = new Set<RejectionCode>([
  'busy',
  'log_unavailable',
  'rate_limited',
  'unavailable',
  'projection_behind',
]);

/** Refusals after which no other command of the same token can succeed. */
const HOPELESS: ReadonlySet<string> = new Set<RejectionCode>([
  'token_missing',
  'token_invalid',
  'token_expired',
  'operator_only',
]);

/** Attempts in a row without any success; with the waits between them about a minute. */
export const MAX_ATTEMPTS = 35;

export function isNotNow(code: string): boolean {
  return NOT_NOW.has(code);
}

export function isHopeless(code: string): boolean {
  return HOPELESS.has(code);
}

/** Milliseconds to wait before attempt number `attempt` (the first repetition is 1): 100, 200, 400 … 2,000. */
export function backoffMs(attempt: number): number {
  return Math.min(100 * 2 ** (attempt - 1), 2_000);
}

/** The server stays unable to take commands, or does not let this token. */
export class GivingUpError extends Error {
  override readonly name = 'GivingUpError';
  readonly code = 'giving_up';
  readonly retryable = false;
}
