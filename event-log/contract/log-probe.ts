// How the contract's cases write to a log and look at what it holds.
import assert from 'node:assert/strict';
import {
  type EventLog,
  type LogBatch,
  type LogRecord,
  LogUnavailableError,
  type NewRecord,
  OutcomeUnknownError,
} from '../event-log.ts';
import type { LogHarness, OpenHarness } from '../event-log-contract.ts';

/** A record whose value is a text, so that a failing comparison can be read. */
export function record(text: string, key = 'room-probe'): NewRecord {
  return { key, value: Buffer.from(text) };
}

export function textsOf(records: readonly LogRecord[]): string[] {
  return records.map(({ value }) => value.toString());
}

/** Runs one case on a log of its own and always cleans up after it. */
export function onFreshLog(
  openHarness: OpenHarness,
  partitions: number,
  run: (harness: LogHarness) => Promise<void>,
): () => Promise<void> {
  return async () => {
    const harness = await openHarness(partitions);
    try {
      await run(harness);
    } finally {
      await harness.close();
    }
  };
}

/** Appends where nothing may be in the way, and returns the offset of the first record. */
export async function mustAppend(log: EventLog, partition: number, at: number, texts: string[]): Promise<number> {
  const result = await log.append(
    partition,
    at,
    texts.map((text) => record(text)),
  );
  assert.deepEqual(result, { kind: 'appended', firstOffset: at });
  return result.firstOffset;
}

/** The next offset of each partition. */
export function headsOf(log: EventLog): Promise<number[]> {
  return Promise.all(Array.from({ length: log.partitions }, (_, partition) => log.head(partition)));
}

/** All that counts in [from, to), having checked that the batches are contiguous and end at `to`. */
export async function readAll(log: EventLog, partition: number, from: number, to?: number): Promise<LogRecord[]> {
  const end = to ?? (await log.head(partition));
  const records: LogRecord[] = [];
  let next = from;
  for await (const batch of log.read(partition, from, end)) {
    next = checkBatch(batch, partition, next);
    records.push(...batch.records);
  }
  assert.ok(next === end || from === end, `read ended at ${next} instead of ${end}`);
  return records;
}

/** A batch goes on where the last one ended; its records are in order and inside it. Returns where the next one begins. */
export function checkBatch(batch: LogBatch, partition: number, from: number): number {
  assert.equal(batch.partition, partition);
  let lowest = from;
  for (const { offset, appendedAt } of batch.records) {
    assert.ok(offset >= lowest, `offset ${offset} came after ${lowest - 1}`);
    assert.ok(Number.isSafeInteger(appendedAt) && Math.abs(Date.now() - appendedAt) < 3_600_000);
    lowest = offset + 1;
  }
  assert.ok(batch.nextOffset >= lowest, `nextOffset ${batch.nextOffset} lies before the end of the records, ${lowest}`);
  assert.ok(batch.head >= batch.nextOffset, `head ${batch.head} lies before nextOffset ${batch.nextOffset}`);
  return batch.nextOffset;
}

/** What a writer does after OutcomeUnknownError: a barrier, then a read up to it. What counts from `from` on is final then. */
export async function settle(
  log: EventLog,
  partition: number,
  from: number,
): Promise<{ records: LogRecord[]; barrier: number }> {
  const barrier = await untilAvailable(() => log.barrier(partition));
  const records = await untilAvailable(() => readAll(log, partition, from, barrier));
  return { records, barrier };
}

/** Tries again while the log cannot be reached, for at most ten seconds. */
export async function untilAvailable<T>(attempt: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 10_000;
  while (true) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof LogUnavailableError) || Date.now() > deadline) throw error;
      await pause(20);
    }
  }
}

/** Resolves when the condition holds; fails with what was awaited after the time-out. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) assert.fail(`${what}: not within ${timeoutMs} ms`);
    await pause(5);
  }
}

/** Whether an append ended without a definite answer. Any other failure is thrown. */
export async function endsUnknown(append: Promise<unknown>): Promise<boolean> {
  try {
    await append;
    return false;
  } catch (error) {
    if (error instanceof OutcomeUnknownError) return true;
    throw error;
  }
}

/** A gate that a handler waits at until the test opens it. */
export function gate(): { opened: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
