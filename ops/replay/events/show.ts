// `events show`: the records of one room. Nothing but the log is asked, so it works while every read model is gone; the log knows no
// rooms, so the partition that the room lies in is read through.
import type { EventLog } from '../../../event-log/event-log.ts';
import { partitionOf } from '../../../event-log/partition-of.ts';
import { streamOfRoom } from '../../../schemas/commands.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type Exit, UsageError } from '../exits.ts';
import { describeRecord } from './describe-record.ts';
import { beginningOf, offsetOf, type RoomPlace } from './places.ts';
import { type FoundRecord, followRecords, recordsOf } from './records.ts';

export type ShowOptions = { room: string; from?: RoomPlace; to?: RoomPlace; follow?: boolean; limit?: number };

/** Offsets to be read, and the versions of them to be shown, both ends included. */
type RoomRange = { from: number; to: number; versions: { from: number; to: number } };

export async function showEvents(cli: Cli, options: ShowOptions): Promise<Exit> {
  const { log, codec } = await cli.resources().eventLog();
  const stream = streamOfRoom(options.room);
  const partition = partitionOf(stream, log.partitions);
  const range = await toRoomRange(log, partition, options);
  const { limit = Number.POSITIVE_INFINITY } = options;
  const enough = new AbortController();
  let shown = 0;

  const show = async ({ record }: FoundRecord): Promise<void> => {
    if (record.key !== stream || enough.signal.aborted) return;
    const { line, json, event } = await describeRecord(codec, partition, record);
    // What cannot be decoded has no version; it lies where it lies.
    const version = event?.metadata.version ?? range.versions.from;
    if (version > range.versions.to && record.is === 'event') enough.abort();
    if (version < range.versions.from || version > range.versions.to) return;
    cli.out.result(json, line);
    shown += 1;
    if (shown >= limit) enough.abort();
  };

  const ended = AbortSignal.any([cli.signal, enough.signal]);
  for await (const record of recordsOf(log, partition, range)) {
    if (ended.aborted) break;
    await show({ partition, record });
  }
  if (options.follow === true && !ended.aborted) {
    await followRecords(log, new Map([[partition, range.to]]), show, ended);
    return EXIT.done;
  }
  if (shown === 0 && !cli.signal.aborted) {
    const { from, to } = range;
    throw new UsageError(
      `there is nothing of room ${options.room} there: partition ${partition} was read from offset ${from} to below ${to}`,
    );
  }
  return EXIT.done;
}

/** Throws UsageError. */
export async function toRoomRange(
  log: EventLog,
  partition: number,
  { from, to }: { from?: RoomPlace; to?: RoomPlace },
): Promise<RoomRange> {
  const nowMs = Date.now();
  const versions = {
    from: isVersion(from) ? from.version : 0,
    to: isVersion(to) ? to.version : Number.POSITIVE_INFINITY,
  };
  if (versions.from > versions.to) throw new UsageError(`version ${versions.from} comes after ${versions.to}`);
  const offsets = {
    from:
      from === undefined || isVersion(from)
        ? await beginningOf(log, partition)
        : await offsetOf(log, partition, from, { isEnd: false, nowMs }),
    to:
      to === undefined || isVersion(to)
        ? await log.head(partition)
        : await offsetOf(log, partition, to, { isEnd: true, nowMs }),
  };
  if (offsets.from > offsets.to) throw new UsageError('--from lies behind --to');
  return { ...offsets, versions };
}

function isVersion(place: RoomPlace | undefined): place is { version: number } {
  return typeof place === 'object' && 'version' in place;
}
