// Every statement of the log, one function each. All are prepared once per connection (`name`), and the tables are found by the
// search_path that connections.ts sets.
import assert from 'node:assert/strict';
import type { ClientBase, Pool, QueryArrayConfig } from 'pg';
import { type NewRecord, OffsetOutOfRangeError } from '../event-log.ts';
import { toByteaArray, toTextArray } from './binary-arrays.ts';

export type Runner = Pick<ClientBase, 'query'> | Pick<Pool, 'query'>;

/** A row as it lies in the table: a null value is a barrier. */
export type Row = { offset: number; key: string; value: Buffer | null; appendedAt: number };
export type Rows = { head: number; rows: Row[] };

/**
 * Moves the head from `expectedOffset` and inserts the records there, or does neither. One statement, hence atomic and one round
 * trip. A concurrent append of the partition waits at the head's row; then READ COMMITTED looks at the row anew and finds that
 * next_offset is no longer the expected one.
 */
const APPEND = `
with moved as (
  update partitions
     set next_offset = next_offset + $3::integer, appended_at = greatest(appended_at, clock_timestamp())
   where partition = $1::integer and next_offset = $2::bigint
  returning appended_at
), added as (
  insert into records (partition, "offset", key, value, appended_at)
  select $1::integer, $2::bigint + record.number - 1, record.key, record.value, moved.appended_at
    from moved, unnest($4::text[], $5::bytea[]) with ordinality as record (key, value, number)
)
select extract(epoch from appended_at) from moved`;

/** When the records were appended, in milliseconds since 1970 UTC. Null is definite: none of them was. */
export async function appendRecords(
  runner: Runner,
  partition: number,
  expectedOffset: number,
  records: readonly NewRecord[],
): Promise<number | null> {
  const keys = toTextArray(records.map(({ key }) => key));
  const values = toByteaArray(records.map(({ value }) => value));
  const [row] = await run(runner, 'append', APPEND, [partition, expectedOffset, records.length, keys, values]);
  return row === undefined ? null : toMilliseconds(row[0]);
}

/** Waits at the head's row for an append in flight, then takes the next offset: no earlier expected offset can match any more. */
const BARRIER = `
with moved as (
  update partitions
     set next_offset = next_offset + 1, appended_at = greatest(appended_at, clock_timestamp())
   where partition = $1::integer
  returning next_offset - 1 as "offset", appended_at
)
insert into records (partition, "offset", key, value, appended_at)
select $1::integer, moved."offset", '', null, moved.appended_at from moved
returning "offset"`;

/** Writes a barrier and returns its offset. */
export async function insertBarrier(runner: Runner, partition: number): Promise<number> {
  return firstNumber(await run(runner, 'barrier', BARRIER, [partition]));
}

const HEAD = 'select next_offset from partitions where partition = $1::integer';

export async function selectHead(runner: Runner, partition: number): Promise<number> {
  return firstNumber(await run(runner, 'head', HEAD, [partition]));
}

const HEADS = 'select partition, next_offset from partitions';

/** The head of every partition. */
export async function selectHeads(runner: Runner): Promise<Map<number, number>> {
  const rows = await run(runner, 'heads', HEADS, []);
  return new Map(rows.map(([partition, head]) => [Number(partition), toOffset(head)]));
}

/**
 * The head and the rows from an offset on in one snapshot, so that everything below that head is there to be seen. The primary
 * key serves it: a range of (partition, "offset") in order, cut after $4 rows; the running sum then cuts it after $5 bytes, the
 * first row always included.
 */
const READ = `
select partitions.next_offset, chosen."offset", chosen.key, chosen.value, extract(epoch from chosen.appended_at)
  from partitions
  left join lateral (
    select * from (
      select ranged.*, sum(octet_length(ranged.value)) over (order by ranged."offset") - octet_length(ranged.value) as bytes_before
        from (
          select "offset", key, value, appended_at
            from records
           where records.partition = $1::integer and records."offset" >= $2::bigint and records."offset" < $3::bigint
           order by records."offset"
           limit $4::integer
        ) as ranged
    ) as measured
    where coalesce(bytes_before, 0) < $5::bigint
  ) as chosen on true
 where partitions.partition = $1::integer
 order by chosen."offset"`;

/** Rows of [from, to), as many as the bounds allow. Throws OffsetOutOfRangeError where the log does not hold `from`. */
export async function selectRows(
  runner: Runner,
  range: { partition: number; from: number; to: number; maxRows: number; maxBytes: number },
): Promise<Rows> {
  const { partition, from, to, maxRows, maxBytes } = range;
  const found = await run(runner, 'read', READ, [partition, from, to, maxRows, maxBytes]);
  const head = toOffset(found[0]?.[0]);
  const rows: Row[] = [];
  for (const [, offset, key, value, seconds] of found) {
    if (offset === null) continue;
    rows.push({
      offset: toOffset(offset),
      key: String(key),
      value: Buffer.isBuffer(value) ? value : null,
      appendedAt: toMilliseconds(seconds),
    });
  }
  assertInRange(partition, from, to, head, rows);
  return { head, rows };
}

/** Offsets are dense, so a row that is missing was deleted by somebody. Going on after it would lose events in silence. */
function assertInRange(partition: number, from: number, to: number, head: number, rows: Row[]): void {
  if (from > head)
    throw new OffsetOutOfRangeError(`partition ${partition} ends at ${head}: there is no offset ${from}`);
  const missing = rows.findIndex(({ offset }, index) => offset !== from + index);
  const isAllMissing = rows.length === 0 && from < Math.min(head, to);
  if (missing === -1 && !isAllMissing) return;
  const offset = isAllMissing ? from : from + missing;
  throw new OffsetOutOfRangeError(`partition ${partition} has lost offset ${offset}: somebody deleted records`);
}

/**
 * Halves the range between the first record and the head until one offset is left: twenty look-ups by primary key in a million
 * records. An index on appended_at would answer as well, at the cost of every append.
 */
const OFFSET_AT = `
with recursive search (low, high) as (
  select coalesce((select min("offset") from records where partition = $1::integer), next_offset), next_offset
    from partitions where partition = $1::integer
  union all
  select case when middle.appended_at < $2::timestamptz then middle."offset" + 1 else low end,
         case when middle.appended_at < $2::timestamptz then high else middle."offset" end
    from search
    join records as middle on middle.partition = $1::integer and middle."offset" = (search.low + search.high) / 2
   where search.low < search.high
)
select low from search where low = high`;

/** The first offset whose record was appended at or after that time, else the head. */
export async function selectOffsetAt(runner: Runner, partition: number, timeMs: number): Promise<number> {
  const rows = await run(runner, 'offset-at', OFFSET_AT, [partition, new Date(timeMs).toISOString()]);
  if (rows.length === 0) throw new OffsetOutOfRangeError(`partition ${partition} has gaps: somebody deleted records`);
  return firstNumber(rows);
}

const NOTIFY = 'select pg_notify($1::text, $2::text)';

export async function notify(runner: Runner, channel: string, payload: string): Promise<void> {
  await run(runner, 'notify', NOTIFY, [channel, payload]);
}

async function run(runner: Runner, name: string, text: string, values: unknown[]): Promise<unknown[][]> {
  const query: QueryArrayConfig = { name, text, values, rowMode: 'array' };
  const { rows } = await runner.query<unknown[]>(query);
  return rows;
}

function toMilliseconds(seconds: unknown): number {
  return Math.round(Number(seconds) * 1_000);
}

function firstNumber(rows: unknown[][]): number {
  return toOffset(rows[0]?.[0]);
}

/** The driver hands out bigint as text. */
function toOffset(value: unknown): number {
  const offset = Number(value);
  assert.ok(Number.isSafeInteger(offset) && value !== undefined, `${String(value)} is no offset`);
  return offset;
}
