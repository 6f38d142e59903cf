// The log that the first build wrote, and what that build made of it (tests/golden/log-v1/).
import { readFileSync } from 'node:fs';
import type { LogRecord } from '../../event-log/event-log.ts';

export type GoldenRecord = { partition: number; record: LogRecord };
export type GoldenRow = { table: 'rooms' | 'memberships' | 'invitations' | 'messages' | 'roomEvents'; row: object };
export type GoldenState = {
  stream: string;
  /** As the decisions of that build had it: `invited` are ids alone. */
  state: { members: Record<string, string>; invited: string[] } & Record<string, unknown>;
};

export const GOLDEN_PARTITIONS = 2;

/** In the order in which they were written; the bytes have the ids of the schema folder. */
export function goldenRecords(): GoldenRecord[] {
  const lines = readLines<{ partition: number; offset: number; key: string; appendedAt: number; value: string }>(
    'records',
  );
  return lines.map(({ partition, value, ...record }) => ({
    partition,
    record: { ...record, value: Buffer.from(value, 'hex') },
  }));
}

/** What sockets were shown of each record, in the same order. */
export function goldenFrames(): unknown[] {
  return readLines('frames');
}

/** Every row of the history, in the order of tables and keys. */
export function goldenRows(): GoldenRow[] {
  return readLines('history-rows');
}

export function goldenStates(): GoldenState[] {
  return readLines('decider-states');
}

function readLines<Line>(name: string): Line[] {
  const text = readFileSync(new URL(`../golden/log-v1/${name}.jsonl`, import.meta.url), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}
