// What a client was told of a command, in the words of the history.

export type Outcome =
  | { kind: 'accepted'; roomId: string; id: string; version: number | null; position: string; changed: boolean }
  | { kind: 'refused'; code: string; retryAfterMs: number | null }
  | { kind: 'lost'; reason: string; retryAfterMs: number | null };

/** The codes that do not say whether the command was done: schemas/rejections.ts. */
const UNKNOWN: ReadonlySet<string> = new Set(['log_unavailable', 'internal']);
/** Definite refusals that may be none a moment later. */
const PASSING: ReadonlySet<string> = new Set(['busy', 'unavailable', 'rate_limited', 'partition_moving']);

export function refusalToOutcome(code: string, retryAfterMs: number | null): Outcome {
  if (UNKNOWN.has(code)) return { kind: 'lost', reason: code, retryAfterMs };
  return { kind: 'refused', code, retryAfterMs };
}

export function lost(reason: string): Outcome {
  return { kind: 'lost', reason, retryAfterMs: null };
}

/** Whether asking the same again, with the same commandId, may help. */
export function isWorthRepeating(outcome: Outcome): outcome is Exclude<Outcome, { kind: 'accepted' }> {
  return outcome.kind === 'lost' || (outcome.kind === 'refused' && PASSING.has(outcome.code));
}
