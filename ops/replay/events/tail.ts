// `events tail`: what is written to the log, as it is written; with --no-follow what lies there.
import type { EventLog } from '../../../event-log/event-log.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type Exit, UsageError } from '../exits.ts';
import { describeRecord } from './describe-record.ts';
import { type LogPlace, offsetOf } from './places.ts';
import { type FoundRecord, followRecords, recordsByTime } from './records.ts';

export type TailOptions = { partition?: number[]; from: LogPlace; follow: boolean; limit?: number };

export async function tailEvents(cli: Cli, options: TailOptions): Promise<Exit> {
  const { log, codec } = await cli.resources().eventLog();
  const partitions = toPartitions(log, options.partition);
  const nowMs = Date.now();
  const ranges = new Map(
    await Promise.all(
      partitions.map(async (partition) => {
        const from = await offsetOf(log, partition, options.from, { isEnd: false, nowMs });
        // A log that grew meanwhile has its head beyond where to begin, never before it.
        return [partition, { from, to: Math.max(from, await log.head(partition)) }] as const;
      }),
    ),
  );
  const { limit = Number.POSITIVE_INFINITY } = options;
  const enough = new AbortController();
  const ended = AbortSignal.any([cli.signal, enough.signal]);
  let shown = 0;

  const show = async ({ partition, record }: FoundRecord): Promise<void> => {
    const { line, json } = await describeRecord(codec, partition, record);
    // Partitions are followed beside each other, so another may have shown the last one meanwhile.
    if (ended.aborted) return;
    cli.out.result(json, line);
    shown += 1;
    if (shown >= limit) enough.abort();
  };

  for await (const found of recordsByTime(log, ranges)) {
    if (ended.aborted) break;
    await show(found);
  }
  const ends = new Map([...ranges].map(([partition, { to }]) => [partition, to]));
  if (options.follow && !ended.aborted) await followRecords(log, ends, show, ended);
  return EXIT.done;
}

function toPartitions(log: EventLog, wanted: readonly number[] | undefined): number[] {
  if (wanted === undefined) return Array.from({ length: log.partitions }, (_, partition) => partition);
  const missing = wanted.find((partition) => partition >= log.partitions);
  if (missing !== undefined) throw new UsageError(`the log has partitions 0 to ${log.partitions - 1}, not ${missing}`);
  return [...new Set(wanted)];
}
