// All that lies in partitions of the log, what does not count too: up to an end, in the order of time, or on and on.
import { setTimeout as sleep } from 'node:timers/promises';
import { type EventLog, type InspectedRecord, LogUnavailableError } from '../../../event-log/event-log.ts';

export type FoundRecord = { partition: number; record: InspectedRecord };
export type Range = { from: number; to: number };

const RETRY_MS = 200;

/**
 * The records of several partitions, each in its order, and among partitions by the time of their appending. Holds one batch of each
 * partition in memory.
 */
export async function* recordsByTime(log: EventLog, ranges: ReadonlyMap<number, Range>): AsyncGenerator<FoundRecord> {
  const sources = await Promise.all(
    [...ranges].map(async ([partition, range]) => {
      const records = recordsOf(log, partition, range);
      return { partition, records, next: await records.next() };
    }),
  );
  for (;;) {
    let first: { partition: number; source: (typeof sources)[number]; record: InspectedRecord } | null = null;
    for (const source of sources) {
      if (source.next.done) continue;
      const record = source.next.value;
      if (first === null || record.appendedAt < first.record.appendedAt)
        first = { partition: source.partition, source, record };
    }
    if (first === null) return;
    yield { partition: first.partition, record: first.record };
    first.source.next = await first.source.records.next();
  }
}

export async function* recordsOf(
  log: EventLog,
  partition: number,
  { from, to }: Range,
): AsyncGenerator<InspectedRecord, undefined> {
  for await (const { records } of log.inspect(partition, from, to)) yield* records;
}

/**
 * Hands out every record from those offsets on, of one partition in order and one at a time, until the signal is aborted. The log's
 * own follower tells how far a partition is; what lies there is then looked at. A log that is away is waited for.
 */
export async function followRecords(
  log: EventLog,
  from: ReadonlyMap<number, number>,
  handle: (found: FoundRecord) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const nextOf = new Map(from);
  const isEnded = (): boolean => signal.aborted;
  const follower = log.follow({
    from,
    handle: async ({ partition, nextOffset }) => {
      let next = nextOf.get(partition) ?? nextOffset;
      while (next < nextOffset && !isEnded()) {
        try {
          for await (const batch of log.inspect(partition, next, nextOffset)) {
            for (const record of batch.records) if (!isEnded()) await handle({ partition, record });
            next = batch.nextOffset;
          }
        } catch (error) {
          if (!(error instanceof LogUnavailableError)) throw error;
          await sleep(RETRY_MS);
        }
      }
      nextOf.set(partition, nextOffset);
    },
  });
  // What stopping would reject with, run() rejects with too.
  const stop = (): void => void follower.stop().catch(() => undefined);
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  await follower.run();
}
