// `events export`: what counts in the log, in a file. Where each partition ends is noted at the start, so what is written meanwhile is
// left out everywhere alike.
import { access, constants } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Codec } from '../../../event-log/codec/codec.ts';
import { decodeBatch } from '../../../event-log/codec/decode-batch.ts';
import type { EventLog, LogRecord } from '../../../event-log/event-log.ts';
import { partitionOf } from '../../../event-log/partition-of.ts';
import { streamOfRoom } from '../../../schemas/commands.ts';
import { count, showProgress } from '../../progress.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type Exit, RefusedError, UsageError } from '../exits.ts';
import { type FileEntry, writeEventFile } from './event-file.ts';
import { beginningOf, type LogPlace, offsetOf, type RoomPlace } from './places.ts';
import type { Range } from './records.ts';
import { toRoomRange } from './show.ts';

export type ExportOptions = { room?: string; from?: RoomPlace; to?: RoomPlace; force?: boolean };

/** Offsets of partitions, and what of it is wanted. */
type Selection = { ranges: ReadonlyMap<number, Range>; wants: (key: string, entry: FileEntry['content']) => boolean };

/** Ctrl-C: the file that was begun is removed. */
class Interrupted extends Error {}

export async function exportEvents(cli: Cli, path: string, options: ExportOptions): Promise<Exit> {
  await checkTarget(path, options.force === true);
  const { log, codec } = await cli.resources().eventLog();
  const { ranges, wants } = await select(log, options);
  const total = [...ranges.values()].reduce((sum, { from, to }) => sum + to - from, 0);
  const state = { done: 0, raw: 0 };
  async function* entries(): AsyncGenerator<FileEntry> {
    for (const [partition, range] of ranges) {
      for await (const entry of entriesOf(log, codec, partition, range, (records) => (state.done += records))) {
        if (cli.signal.aborted) throw new Interrupted();
        if (!wants(entry.key, entry.content)) continue;
        if ('raw' in entry.content) state.raw += 1;
        yield entry;
      }
    }
  }
  const began = performance.now();
  const progress = cli.out.json
    ? null
    : showProgress({
        out: cli.out.stderr,
        total,
        read: () => ({ done: state.done, refused: 0 }),
        now: () => performance.now(),
      });
  try {
    const written = await writeEventFile(path, entries()).finally(() => progress?.stop());
    const seconds = (performance.now() - began) / 1_000;
    const eventsPerSecond = Math.round(written.entries / seconds);
    const ends = [...ranges].map(([partition, { from, to }]) => ({ partition, from, to }));
    cli.out.result({ file: path, ...written, raw: state.raw, seconds, eventsPerSecond, partitions: ends }, [
      `${path}: ${count(written.entries)} records in ${count(written.bytes)} bytes, ${count(eventsPerSecond)} a second.`,
      ...(state.raw === 0
        ? []
        : [`${count(state.raw)} of them are no events; they are in the file as they lay in the log.`]),
    ]);
    return EXIT.done;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    cli.out.note(`Interrupted: there is no ${path}.`);
    return EXIT.interrupted;
  }
}

/** Found out before anything is read: a long export must not fail at its end. */
async function checkTarget(path: string, mayReplace: boolean): Promise<void> {
  try {
    await access(dirname(resolve(path)), constants.W_OK);
  } catch (error) {
    throw new UsageError(`${path} cannot be written`, { cause: error });
  }
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (isThere && !mayReplace) throw new RefusedError(`${path} is there already; --force replaces it`);
}

async function select(log: EventLog, { room, from, to }: ExportOptions): Promise<Selection> {
  if (room === undefined) {
    const all = Array.from({ length: log.partitions }, (_, partition) => partition);
    const ranges = all.map(async (partition) => [partition, await toRange(log, partition, from, to)] as const);
    return { ranges: new Map(await Promise.all(ranges)), wants: () => true };
  }
  const stream = streamOfRoom(room);
  const partition = partitionOf(stream, log.partitions);
  const { versions, ...range } = await toRoomRange(log, partition, { ...(from && { from }), ...(to && { to }) });
  return {
    ranges: new Map([[partition, range]]),
    wants: (key, content) => {
      if (key !== stream) return false;
      const version = 'event' in content ? content.event.metadata.version : versions.from;
      return version >= versions.from && version <= versions.to;
    },
  };
}

async function toRange(
  log: EventLog,
  partition: number,
  from: RoomPlace = 'beginning',
  to: RoomPlace = 'now',
): Promise<Range> {
  const nowMs = Date.now();
  const place = (given: RoomPlace): LogPlace => {
    if (typeof given === 'object' && !('timeMs' in given))
      throw new UsageError('without --room, --from and --to are times: versions and offsets are those of one room');
    return given;
  };
  const [begin, end] = await Promise.all([
    from === 'beginning' ? beginningOf(log, partition) : offsetOf(log, partition, place(from), { isEnd: false, nowMs }),
    offsetOf(log, partition, place(to), { isEnd: true, nowMs }),
  ]);
  return { from: begin, to: Math.max(begin, end) };
}

async function* entriesOf(
  log: EventLog,
  codec: Codec,
  partition: number,
  { from, to }: Range,
  onRead: (offsets: number) => void,
): AsyncGenerator<FileEntry> {
  let at = from;
  for await (const batch of log.read(partition, from, to)) {
    const decoded = await decodeBatch(codec, batch);
    for (const [index, record] of batch.records.entries()) {
      const { key, offset, appendedAt } = record;
      const found = decoded.records[index];
      const content = found !== undefined && 'event' in found ? { event: found.event } : rawOf(record);
      yield { partition, offset, key, appendedAt, content };
    }
    onRead(batch.nextOffset - at);
    at = batch.nextOffset;
  }
}

function rawOf({ value }: LogRecord): { raw: Buffer } {
  return { raw: value };
}
