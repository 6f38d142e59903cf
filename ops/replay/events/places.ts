// Where in the log to begin and to end, as the command line says it.
import { InvalidArgumentError } from 'commander';
import { z } from 'zod';
import type { EventLog } from '../../../event-log/event-log.ts';
import { toTimestamp } from '../../../schemas/views.ts';
import { UsageError } from '../exits.ts';

export type LogPlace = 'beginning' | 'now' | { offset: number } | { timeMs: number };
/** A plain number is a version of the room. */
export type RoomPlace = LogPlace | { version: number };

const isoTime = z.iso.datetime({ offset: true });

/** For commander. Beside what LogPlace is, a plain number: an offset. */
export function parseLogPlace(text: string): LogPlace {
  const place = parseWords(text) ?? parseNumber(text, (offset) => ({ offset }));
  if (place === null)
    throw new InvalidArgumentError('It is beginning, now, a time like 2026-01-31T12:00:00Z, or an offset.');
  return place;
}

/** For commander. */
export function parseRoomPlace(text: string): RoomPlace {
  const [, offset] = /^offset:(\d{1,15})$/.exec(text) ?? [];
  if (offset !== undefined) return { offset: Number(offset) };
  const place = parseWords(text) ?? parseNumber(text, (version) => ({ version }));
  if (place === null)
    throw new InvalidArgumentError(
      'It is a version, offset:<offset>, a time like 2026-01-31T12:00:00Z, beginning or now.',
    );
  return place;
}

/** For commander. */
export function parseCount(text: string): number {
  const count = parseNumber(text, (number) => number);
  if (count === null || count === 0) throw new InvalidArgumentError('It is a whole number from 1 on.');
  return count;
}

/** Milliseconds since 1970 UTC, or null where the text is no time with a zone. */
export function parseTime(text: string): number | null {
  return isoTime.safeParse(text).success ? Date.parse(text) : null;
}

/** The first offset of the partition. Records are kept for ever, so it is 0 unless somebody has deleted some. */
export function beginningOf(log: EventLog, partition: number): Promise<number> {
  return log.offsetAt(partition, 0);
}

/** The offset of a place at which to begin, or of one that is the last to be shown: then the one behind it. Throws UsageError. */
export async function offsetOf(
  log: EventLog,
  partition: number,
  place: LogPlace,
  { isEnd, nowMs }: { isEnd: boolean; nowMs: number },
): Promise<number> {
  if (place === 'beginning') return beginningOf(log, partition);
  if (place === 'now') return log.head(partition);
  if ('timeMs' in place) {
    if (place.timeMs > nowMs) throw new UsageError(`${toTimestamp(place.timeMs)} has not come yet`);
    return log.offsetAt(partition, place.timeMs + (isEnd ? 1 : 0));
  }
  const [first, head] = await Promise.all([beginningOf(log, partition), log.head(partition)]);
  const { offset } = place;
  if (offset < first || offset > head)
    throw new UsageError(`partition ${partition} has offsets from ${first} to below ${head}, not ${offset}`);
  return Math.min(offset + (isEnd ? 1 : 0), head);
}

function parseWords(text: string): 'beginning' | 'now' | { timeMs: number } | null {
  if (text === 'beginning' || text === 'now') return text;
  const timeMs = parseTime(text);
  return timeMs === null ? null : { timeMs };
}

function parseNumber<Place>(text: string, toPlace: (number: number) => Place): Place | null {
  return /^\d{1,15}$/.test(text) ? toPlace(Number(text)) : null;
}
