// `dlq`: the streams that the history has parked, because of a record that cannot be projected.
import { userInfo } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { type DiscardOutcome, discardParked } from '../../../projections/discard-parked.ts';
import { type Discard, selectDiscards } from '../../../projections/discards.ts';
import { selectParkedRecords, selectParkedStreams } from '../../../projections/parking.ts';
import { type Retried, retryParked } from '../../../projections/retry-parked.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type Exit, RefusedError, UsageError } from '../exits.ts';
import { openHistory } from '../open-history.ts';
import { printable, table } from '../output.ts';

const DEFAULT_SHOWN = 10;
/** Of one record's bytes; the others are counted. */
const MAX_SHOWN_BYTES = 4_096;
const NOT_DECODED = { fault: 'the record was not decoded' };

export function addDlq(program: Command, cli: Cli): void {
  const dlq = program
    .command('dlq')
    .description('streams that are parked because of a record that cannot be projected');
  dlq
    .command('list')
    .description('every parked stream, and why')
    .action(() => cli.run(() => list(cli)));
  dlq
    .command('show')
    .description('the records of one parked stream, decoded and as bytes')
    .argument('<stream>', 'as dlq list names it')
    .option('--limit <n>', 'records to show', toCount, DEFAULT_SHOWN)
    .action((stream: string, { limit }: { limit: number }) => cli.run(() => show(cli, stream, limit)));
  dlq
    .command('retry')
    .description('projects what was put aside, in order; what still cannot be projected stays parked')
    .argument('[stream]', 'as dlq list names it')
    .option('--all', 'every parked stream')
    .action((stream: string | undefined, { all }: { all?: true }) =>
      cli.run(() => retry(cli, stream ?? null, all === true)),
    );
  dlq
    .command('discard')
    .description('takes the record at fault out of the history for ever, and projects the rest')
    .argument('<stream>', 'as dlq list names it')
    .option('--offset <n>', 'the record that is meant, where it is not the first', toOffset)
    .option('--by <name>', 'who discards it', userInfo().username)
    .option('--yes', 'do it')
    .action((stream: string, options: { offset?: number; by: string; yes?: true }) =>
      cli.run(() => discard(cli, stream, options)),
    );
}

async function list({ out, resources }: Cli): Promise<Exit> {
  const { db, tables, projection } = await openHistory(resources());
  const { name, version } = projection;
  const parked = await selectParkedStreams(db, tables, projection, null);
  const streams = parked.map(({ atMs, ...stream }) => ({ ...stream, since: toTime(atMs) }));
  const lines = table(
    ['projection', 'stream', 'partition', 'first offset', 'records', 'since', 'reason'],
    streams.map((one) => [
      `${name} ${version}`,
      printable(one.stream),
      one.partition,
      one.firstOffset,
      one.records,
      one.since,
      printable(one.reason),
    ]),
  );
  out.result({ projection: name, version, streams }, streams.length === 0 ? 'No stream is parked.' : lines);
  return EXIT.done;
}

async function show({ out, resources }: Cli, stream: string, limit: number): Promise<Exit> {
  const history = await openHistory(resources());
  const { db, tables, projection, decode } = history;
  const [parked] = await selectParkedStreams(db, tables, projection, stream);
  const discards = (await selectDiscards(db, tables, projection, stream)).map(toShownDiscard);
  if (parked === undefined && discards.length === 0) throw notParked(stream);
  const from = { stream, after: { partition: -1, offset: -1 }, limit };
  const aside = await selectParkedRecords(db, tables, projection, from);
  const contents = await decode(aside.map(({ record }) => record));
  const records = aside.map(({ partition, record: { offset, appendedAt, value } }, at) => {
    const place = { partition, offset, appendedAt: toTime(appendedAt) };
    return {
      ...place,
      ...(contents[at] ?? NOT_DECODED),
      bytes: value.length,
      hex: value.toString('hex', 0, MAX_SHOWN_BYTES),
    };
  });
  const { atMs = 0, records: count = 0, reason = null } = parked ?? {};
  const lines = records.flatMap(({ partition, offset, appendedAt, bytes, hex, ...content }) => [
    `offset ${offset} of partition ${partition}, appended at ${appendedAt}, ${bytes} bytes`,
    'fault' in content ? `  no event: ${content.fault}` : `  ${JSON.stringify(content.event)}`,
    `  ${hex}${bytes > MAX_SHOWN_BYTES ? '…' : ''}`,
  ]);
  const rest = count > records.length ? [`and ${count - records.length} more (--limit)`] : [];
  const head = parked === undefined ? `${stream} is not parked` : `${stream}, parked since ${toTime(atMs)}: ${reason}`;
  const shownDiscards = discards.map(
    ({ partition, offset, by, at, reason: why }) =>
      `discarded: offset ${offset} of partition ${partition}, by ${by} at ${at}: ${why}`,
  );
  const since = parked === undefined ? null : toTime(atMs);
  out.result(
    { stream, since, reason, count, records, discards },
    [head, ...lines, ...rest, ...shownDiscards].map(printable),
  );
  return EXIT.done;
}

async function retry({ out, resources, signal }: Cli, stream: string | null, all: boolean): Promise<Exit> {
  if (all === (stream !== null)) throw new UsageError('name one stream, or say --all');
  const history = await openHistory(resources());
  const { db, tables, projection } = history;
  const parked = await selectParkedStreams(db, tables, projection, stream);
  if (stream !== null && parked.length === 0) throw notParked(stream);
  let exit: Exit = EXIT.done;
  for (const one of parked) {
    if (signal.aborted) return EXIT.interrupted;
    const retried = await retryParked(db, history, one.stream);
    if (retried.kind === 'staysParked') exit = EXIT.differences;
    out.result({ stream: one.stream, ...toShownRetry(retried) }, printable(`${one.stream} ${describeRetry(retried)}`));
  }
  if (parked.length === 0) out.note('No stream is parked.');
  return exit;
}

async function discard(
  { out, resources }: Cli,
  stream: string,
  { offset = null, by, yes }: { offset?: number | null; by: string; yes?: true },
): Promise<Exit> {
  const history = await openHistory(resources());
  const isTrial = yes !== true;
  const wish = { stream, offset, by, atMs: Date.now(), isTrial };
  const { record, rest } = readOutcome(await discardParked(history.db, history, wish), wish);
  const what = record === null ? 'nothing has to be discarded' : describeDiscard(record, isTrial);
  const result = { stream, done: !isTrial, discarded: record, rest: toShownRetry(rest) };
  out.result(result, printable(`${what}; ${stream} ${isTrial ? 'then ' : ''}${describeRetry(rest)}`));
  if (isTrial) throw new RefusedError('nothing has changed: say --yes to do it');
  return rest.kind === 'staysParked' ? EXIT.differences : EXIT.done;
}

type Discarded = { partition: number; offset: number; reason: string };

/** Throws for what could not be discarded. */
function readOutcome(
  outcome: DiscardOutcome,
  { stream, offset }: { stream: string; offset: number | null },
): { record: Discarded | null; rest: Retried } {
  const named = offset === null ? 'the record at fault' : `the record at offset ${offset}`;
  switch (outcome.kind) {
    case 'notParked':
      throw notParked(stream);
    case 'noSuchRecord':
      throw new UsageError(`${stream} has no parked record at offset ${offset}`);
    case 'isEvent':
      throw new RefusedError(
        `${named} is an event that others may have seen: only what is no event, or comes out of order, can be discarded`,
      );
    case 'goesOn':
      return { record: null, rest: outcome };
    case 'discarded': {
      const { partition, record, reason } = outcome.fault;
      return { record: { partition, offset: record.offset, reason }, rest: outcome.rest };
    }
  }
}

function describeDiscard({ partition, offset, reason }: Discarded, isTrial: boolean): string {
  return `${isTrial ? 'would discard' : 'discarded'} offset ${offset} of partition ${partition} (${reason})`;
}

function describeRetry(retried: Retried): string {
  if (retried.kind === 'notParked') return 'is not parked any more';
  if (retried.kind === 'goesOn') return `goes on, records projected: ${retried.projected}`;
  const { fault, projected } = retried;
  return `stays parked from offset ${fault.record.offset} on (${fault.reason}), records projected: ${projected}`;
}

function toShownRetry(retried: Retried): object {
  if (retried.kind === 'notParked') return { outcome: retried.kind };
  const { kind: outcome, projected } = retried;
  if (retried.kind === 'goesOn') return { outcome, projected };
  const { partition, record, reason } = retried.fault;
  return { outcome, projected, partition, offset: record.offset, reason };
}

function toShownDiscard({ partition, record, reason, by, atMs }: Discard): {
  partition: number;
  offset: number;
  reason: string;
  by: string;
  at: string;
  hex: string;
} {
  const hex = record.value.toString('hex', 0, MAX_SHOWN_BYTES);
  return { partition, offset: record.offset, reason, by, at: toTime(atMs), hex };
}

function notParked(stream: string): UsageError {
  return new UsageError(`${stream} is not parked: dlq list shows what is`);
}

function toTime(ms: number): string {
  return new Date(ms).toISOString();
}

function toCount(text: string): number {
  return toWhole(text, 1, 10_000);
}

function toOffset(text: string): number {
  return toWhole(text, 0, Number.MAX_SAFE_INTEGER);
}

function toWhole(text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) throw new InvalidArgumentError(`must be ${min} to ${max}.`);
  return value;
}
