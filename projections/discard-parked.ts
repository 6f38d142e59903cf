// Takes a record at fault out of a projection for ever, and lets its stream go on.
//
// Only what is no event of the stream can be discarded: bytes that this build cannot read, and an event that does not follow its
// predecessor. An event that does is refused: it was acknowledged, others have seen it live, and readers that count versions would
// wait for it for ever. A build that can project it is what helps.
import type { Knex } from 'knex';
import type { Database } from '../platform/postgres.ts';
import { insertDiscard } from './discards.ts';
import { deleteParkedRecord, selectParkedRecord } from './parking.ts';
import { readRecord } from './poison.ts';
import { type Fault, type Retried, type RetryDeps, retryParkedIn } from './retry-parked.ts';

export type DiscardWish = {
  stream: string;
  /** Null: the record that keeps the stream parked. */
  offset: number | null;
  by: string;
  atMs: number;
  /** Finds out what would happen, and changes nothing. */
  isTrial: boolean;
};

/**
 * `goesOn`: it is not parked any more after all its records were tried once more, so nothing was discarded. `isEvent`: refused, see
 * above. `discarded`: `rest` says what became of what follows.
 */
export type DiscardOutcome =
  | { kind: 'notParked' | 'noSuchRecord' | 'isEvent' }
  | { kind: 'goesOn'; projected: number }
  | { kind: 'discarded'; fault: Fault; rest: Retried };

/** Rolls the transaction back with what it found out; never leaves this file. */
class Trial extends Error {
  readonly outcome: DiscardOutcome;

  constructor(outcome: DiscardOutcome) {
    super();
    this.outcome = outcome;
  }
}

/** In one transaction, while nobody else projects the stream. Throws what is no fault of the records; nothing has changed then. */
export async function discardParked(db: Database, deps: RetryDeps, wish: DiscardWish): Promise<DiscardOutcome> {
  try {
    return await db.transaction(async (tx) => {
      const outcome = await discardIn(tx, deps, wish);
      if (wish.isTrial) throw new Trial(outcome);
      return outcome;
    });
  } catch (error) {
    if (error instanceof Trial) return error.outcome;
    throw error;
  }
}

async function discardIn(tx: Knex.Transaction, deps: RetryDeps, wish: DiscardWish): Promise<DiscardOutcome> {
  const { tables, projection } = deps;
  const { stream, by, atMs } = wish;
  const retried = await retryParkedIn(tx, deps, stream);
  if (retried.kind !== 'staysParked') return retried;
  const chosen = await choose(tx, deps, wish, retried.fault);
  if (chosen === null) return { kind: 'noSuchRecord' };
  if (chosen.kind === 'refused') return { kind: 'isEvent' };
  const { partition, record, reason } = chosen;
  await insertDiscard(tx, tables, projection, { partition, record, reason, by, atMs });
  await deleteParkedRecord(tx, tables, projection, { stream, partition, offset: record.offset });
  return { kind: 'discarded', fault: chosen, rest: await retryParkedIn(tx, deps, stream) };
}

/** The record that is meant, as the fault that it is. Of one behind the first fault only its bytes can be judged. */
async function choose(
  tx: Knex.Transaction,
  { tables, projection, decode }: RetryDeps,
  { stream, offset }: DiscardWish,
  first: Fault,
): Promise<Fault | null> {
  if (offset === null || offset === first.record.offset) return first;
  const { partition } = first;
  const parked = await selectParkedRecord(tx, tables, projection, { stream, partition, offset });
  if (parked === null) return null;
  const [content] = await decode([parked.record]);
  const read = readRecord({ ...parked, content: content ?? { fault: 'the record was not decoded' } });
  if ('fault' in read) return { ...parked, kind: 'unreadable', reason: read.fault };
  return { ...parked, kind: 'refused', reason: 'it is an event' };
}
