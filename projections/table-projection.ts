// What a projection into PostgreSQL is made of. Everything else (following, checkpoints, the fence, parking, retries) is the same
// for all of them.
import type { Knex } from 'knex';
import type { ChatEvent } from '../schemas/generated/events.ts';
import type { ProjectionKey } from './checkpoints.ts';

export type LoggedEvent = { partition: number; event: ChatEvent };

export type TableProjection = ProjectionKey & {
  /**
   * Writes what the events mean, inside the transaction that moves the checkpoint. Must be idempotent by the versions of the
   * events, and must mean the same however the events are cut into calls. Throws UnprojectableError, or PostgreSQL's own error,
   * for events that can never be projected.
   */
  write(tx: Knex.Transaction, events: readonly LoggedEvent[]): Promise<void>;
};

/** The event cannot follow what is there: its stream has a gap or does not begin with its beginning. */
export class UnprojectableError extends Error {
  override readonly name = 'UnprojectableError';
  readonly code = 'unprojectable';
  readonly retryable = false;
}
