import assert from 'node:assert/strict';
import fc from 'fast-check';
import { after, before, describe, it } from 'mocha';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { arbitraryHistory } from '../../tests/support/arbitraries.ts';
import { type HistoryHarness, openHistoryHarness, toRecords } from '../../tests/support/history-harness.ts';
import { stackEnv } from '../../tests/support/stack-env.ts';
import { openTcpProxy, type TcpProxy } from '../../tests/support/tcp-proxy.ts';
import type { PostgresSink } from '../postgres-sink.ts';
import type { Chunk, ProjectedRecord, WriteOutcome } from '../sink.ts';

const RUNS = 40;
/** Attempts in a row at something that nobody disturbs any more. */
const MAX_ATTEMPTS = 20;
const ROOMS = ['red', 'green', 'blue'];
const PARTITIONS = ROOMS.length;
const ALL = [0, 1, 2];

/** A projector as far as the fence is concerned: it believes in partitions and offsets, rightly or not. */
type Believer = { sink: PostgresSink; next: Map<number, number>; written: Chunk['moves'][] };

/** Each step is what one or several projectors do at the same time. */
type Step =
  | { kind: 'load'; who: number; partitions: number[] }
  | { kind: 'write'; sizes: number[][]; deliveries: number; cutAfterTurns: number | null };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('load' as const), who: fc.nat(2), partitions: fc.subarray(ALL) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      /** By projector and partition, records of the chunk; 0: the partition is not in it. */
      sizes: fc.array(fc.array(fc.nat(4), { minLength: PARTITIONS, maxLength: PARTITIONS }), {
        minLength: 1,
        maxLength: 3,
      }),
      deliveries: fc.integer({ min: 1, max: 2 }),
      cutAfterTurns: fc.option(fc.nat(60), { freq: 3 }),
    }),
  },
);

describe('history that several projectors write', () => {
  let proxy: TcpProxy;
  let harness: HistoryHarness;
  let reference: HistoryHarness;

  before(async () => {
    const url = new URL(stackEnv.databaseUrl());
    proxy = await openTcpProxy({ host: url.hostname, port: Number(url.port) });
    url.host = `127.0.0.1:${proxy.port}`;
    harness = await openHistoryHarness(url.href);
    reference = await openHistoryHarness();
    for (const { openSink } of [harness, reference]) await openSink({ partitions: PARTITIONS }).load(ALL);
  });

  after(async () => {
    await harness.close();
    await reference.close();
    await proxy.close();
  });

  it('PROJ-18 law: with any assignments, chunks delivered twice and connections cut anywhere, tables are the fold', async function () {
    this.timeout(120_000);
    await fc.assert(
      fc.asyncProperty(
        arbitraryHistory({ rooms: ROOMS, maxLength: 50 }),
        fc.array(fc.nat(50), { maxLength: 2 }),
        fc.array(step, { maxLength: 15 }),
        async (events, poison, steps) => {
          const partitions = toPartitions(harness, events, poison);
          await reference.clear();
          await writeInOne(reference.openSink({ partitions: PARTITIONS }), partitions);

          await harness.clear();
          const believers: Believer[] = [];
          for (const _ of ALL) {
            const sink = harness.openSink({ partitions: PARTITIONS });
            believers.push({ sink, next: new Map(await sink.load(ALL)), written: [] });
          }
          for (const at of steps) await take(at, believers, partitions);
          assertDisjoint(believers.flatMap(({ written }) => written));
          await writeInOne(harness.openSink({ partitions: PARTITIONS }), partitions);

          assert.deepEqual(await harness.allRows(), await reference.allRows());
          assert.deepEqual(await parked(harness), await parked(reference));
        },
      ),
      // What depends on who is faster cannot be shrunk well: the first counterexample is the one to look at.
      { numRuns: RUNS, endOnFailure: true },
    );
  });

  async function take(at: Step, believers: readonly Believer[], partitions: ProjectedRecord[][]): Promise<void> {
    if (at.kind === 'load') {
      const believer = believers[at.who];
      // A load that fails leaves the projector with what it believed.
      const next = await believer?.sink.load(at.partitions).catch(passing);
      if (next && believer) believer.next = new Map(next);
      return;
    }
    const writes = at.sizes.map(async (sizes, who) => {
      const believer = believers[who];
      if (believer === undefined) return;
      const chunk = toSharedChunk(believer.next, sizes, partitions);
      if (chunk.moves.size === 0) return;
      const deliveries = Array.from({ length: at.deliveries }, () => believer.sink.write(chunk).catch(passing));
      const outcomes: (WriteOutcome | undefined)[] = await Promise.all(deliveries);
      assert.ok(outcomes.filter((outcome) => outcome === 'written').length <= 1, 'a chunk was written twice');
      if (!outcomes.includes('written')) return;
      believer.written.push(chunk.moves);
      for (const [partition, { to }] of chunk.moves) believer.next.set(partition, to);
    });
    if (at.cutAfterTurns !== null) {
      for (let turn = 0; turn < at.cutAfterTurns; turn++) await new Promise((resolve) => setImmediate(resolve));
      proxy.cut();
    }
    await Promise.all(writes);
  }
});

/** No offset got in twice, whoever wrote it. */
function assertDisjoint(written: readonly Chunk['moves'][]): void {
  for (const partition of ALL) {
    const moves = written.flatMap((chunk) => chunk.get(partition) ?? []).sort((left, right) => left.from - right.from);
    for (const [at, { from }] of moves.entries()) assert.ok(from >= (moves[at - 1]?.to ?? 0), 'records got in twice');
  }
}

/** What goes on from what the projector believes; partitions that are at their end or not its own stay out. */
function toSharedChunk(
  next: ReadonlyMap<number, number>,
  sizes: readonly number[],
  partitions: ProjectedRecord[][],
): Chunk {
  const records: ProjectedRecord[] = [];
  const moves = new Map<number, { from: number; to: number }>();
  for (const [partition, from] of next) {
    const slice = partitions[partition]?.slice(from, from + (sizes[partition] ?? 0)) ?? [];
    if (slice.length === 0) continue;
    records.push(...slice);
    moves.set(partition, { from, to: from + slice.length });
  }
  return { records, moves };
}

/** Everything that is left, in one chunk, by somebody who is alone. */
async function writeInOne(sink: PostgresSink, partitions: ProjectedRecord[][]): Promise<void> {
  const next = await untilThere(() => sink.load(ALL));
  const sizes = partitions.map(({ length }) => length);
  const chunk = toSharedChunk(next, sizes, partitions);
  if (chunk.moves.size > 0) assert.equal(await untilThere(() => sink.write(chunk)), 'written');
}

/** A room's events to a partition each; some records are poison. */
function toPartitions(
  harness: HistoryHarness,
  events: readonly ChatEvent[],
  poison: readonly number[],
): ProjectedRecord[][] {
  return ROOMS.map((room, partition) => {
    const records = toRecords(
      harness.codec,
      events.filter(({ roomId }) => roomId === room),
      0,
      partition,
    );
    return records.map((record) => {
      if (!poison.includes(record.record.offset)) return record;
      return {
        ...record,
        record: { ...record.record, value: Buffer.from('no event') },
        content: { fault: 'no event' },
      };
    });
  });
}

async function parked({ db, tables }: HistoryHarness): Promise<unknown> {
  const streams = await db.raw(`select stream, partition, first_offset from ${tables.parkedStreams} order by stream`);
  const records = await db.raw(
    `select stream, partition, "offset", value from ${tables.parkedRecords} order by 1, 2, 3`,
  );
  return [streams.rows, records.rows];
}

/** A connection that was cut is no failure of the law; everything else is. */
function passing(error: unknown): undefined {
  if (!isRetryable(error)) throw error;
}

async function untilThere<Result>(attempt: () => Promise<Result>): Promise<Result> {
  for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts++) {
    try {
      return await attempt();
    } catch (error) {
      passing(error);
    }
  }
  return assert.fail(`still not there after ${MAX_ATTEMPTS} attempts`);
}

function isRetryable(error: unknown): boolean {
  return error instanceof Error && 'retryable' in error && error.retryable === true;
}
