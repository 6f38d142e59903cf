// `events import`: a file of events into an empty log, which may have another number of partitions: streams go where the product
// looks for them, each in the order of the file.
import type { Codec } from '../../../event-log/codec/codec.ts';
import type { EventLog, NewRecord } from '../../../event-log/event-log.ts';
import { partitionOf } from '../../../event-log/partition-of.ts';
import { count, showProgress } from '../../progress.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type Exit, RefusedError, UsageError } from '../exits.ts';
import type { FileEntry } from './event-file.ts';
import { LogFiller } from './log-filler.ts';
import { beginningOf } from './places.ts';
import { type EventFile, openEventFile } from './read-event-file.ts';

export type ImportOptions = { asIs?: boolean };

export async function importEvents(cli: Cli, path: string, { asIs = false }: ImportOptions): Promise<Exit> {
  const file = await openEventFile(path);
  await checkEntries(path, file, asIs);
  const { log, codec } = await cli.resources().eventLog();
  await requireEmpty(log);
  const began = performance.now();
  const filler = new LogFiller(log);
  const progress = cli.out.json
    ? null
    : showProgress({
        out: cli.out.stderr,
        total: file.entries,
        read: () => ({ done: filler.written, refused: 0 }),
        now: () => performance.now(),
      });
  try {
    await filler.begin();
    for await (const entry of file.read()) {
      if (cli.signal.aborted) break;
      const record = toRecord(codec, entry);
      await filler.add(partitionOf(record.key, log.partitions), record);
    }
    await filler.end();
  } catch (error) {
    await filler.settle();
    throw withWritten(error, filler.written, file.entries);
  } finally {
    progress?.stop();
  }
  if (filler.written < file.entries) {
    cli.out.note(`Interrupted. ${written(filler.written, file.entries)}`);
    return EXIT.interrupted;
  }
  const seconds = (performance.now() - began) / 1_000;
  const eventsPerSecond = Math.round(filler.written / seconds);
  cli.out.result(
    { file: path, entries: filler.written, seconds, eventsPerSecond },
    `${path}: ${count(filler.written)} records imported, ${count(eventsPerSecond)} a second.`,
  );
  return EXIT.done;
}

/**
 * Reads the file to its end before anything is written: every entry can be read, is an event, and follows its predecessor. Keeps one
 * number a stream. Throws UsageError.
 */
async function checkEntries(path: string, file: EventFile, asIs: boolean): Promise<void> {
  const versions = new Map<string, number>();
  let read = 0;
  for await (const { key, content, partition, offset } of file.read()) {
    read += 1;
    if (asIs) continue;
    const where = `what lay at offset ${offset} of partition ${partition}`;
    const hint = '--as-is imports it all the same';
    if ('raw' in content) throw new UsageError(`${path}: ${where} is no event of this build; ${hint}`);
    const { stream, version } = content.event.metadata;
    const wanted = (versions.get(key) ?? 0) + 1;
    if (stream !== key || version !== wanted)
      throw new UsageError(
        `${path}: ${where} is version ${version} of ${stream}, where ${wanted} of ${key} is next; ${hint}`,
      );
    versions.set(key, version);
  }
  if (read !== file.entries)
    throw new UsageError(`${path} holds ${read} records, and says that it holds ${file.entries}`);
}

/** Barriers and void records are nothing that anybody reads. Throws RefusedError. */
async function requireEmpty(log: EventLog): Promise<void> {
  for (let partition = 0; partition < log.partitions; partition++) {
    const [from, to] = await Promise.all([beginningOf(log, partition), log.head(partition)]);
    for await (const { records } of log.read(partition, from, to)) {
      const [first] = records;
      if (first !== undefined)
        throw new RefusedError(`the log is not empty: partition ${partition} has a record at offset ${first.offset}`);
    }
  }
}

function toRecord(codec: Codec, { key, content }: FileEntry): NewRecord {
  return { key, value: 'raw' in content ? content.raw : codec.encode(content.event) };
}

function withWritten(error: unknown, entries: number, total: number): unknown {
  if (!(error instanceof Error)) return error;
  error.message = `${error.message}. ${written(entries, total)}`;
  return error;
}

function written(entries: number, total: number): string {
  if (entries === 0) return 'Nothing was imported.';
  return `${count(entries)} of ${count(total)} records are in the log; it must be emptied before they can be imported again.`;
}
