import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'mocha';
import { until } from '../../event-log/contract/log-probe.ts';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { openReplayHarness, type ReplayHarness } from '../../tests/support/replay-harness.ts';
import { historyTables } from '../history/tables.ts';
import { listBuilds, schemaOfBuild } from './builds.ts';
import { enterState, type JobProgress, want } from './job-row.ts';
import { type RebuildEnd, type RebuildOptions, type RebuildWatch, rebuild } from './rebuild-job.ts';

const EASY: RebuildOptions = {
  lanes: 1,
  worker: { pid: 1, host: 'test' },
  verifies: true,
  flips: true,
  maxLagEvents: 1_000_000,
  maxReadMs: 60_000,
};

describe('a rebuild as a job', () => {
  let harness: ReplayHarness;
  const rooms = Array.from({ length: 12 }, (_, at) => `room-${at}`);

  before(async () => {
    harness = await openReplayHarness();
  });

  after(() => harness.close());

  beforeEach(async () => {
    await harness.clear();
    const histories = rooms.map(roomHistory);
    for (const turn of [made.room(), made.joined('bob'), made.said('one'), made.said('two')]) {
      await harness.append(histories.map((room) => room.next('ada', turn)));
    }
    await harness.projectLive();
  });

  type Seen = JobProgress & { isPaused: boolean };

  function run(
    options: Partial<RebuildOptions> = {},
    onProgress: (seen: Seen) => void = () => {},
  ): Promise<RebuildEnd> {
    const watch: RebuildWatch = { phase: () => {}, note: () => {}, progress: onProgress };
    const { deps, projection } = harness;
    return rebuild(deps, projection, { ...EASY, ...options }, watch, new AbortController().signal);
  }

  async function states(): Promise<string[]> {
    return (await listBuilds(harness.history.db, harness.projection)).map(({ state }) => state);
  }

  it('REPLAY-18 goes from the log to live in one run', async () => {
    const end = await run();
    assert.partialDeepStrictEqual(end, { kind: 'live', verdict: { kind: 'equal' } });
    assert.deepEqual(await states(), ['previous', 'live']);
  });

  it('REPLAY-18 serves also where nothing was live before', async () => {
    const { db, tables } = harness.history;
    const live = await harness.rowsOf(harness.projection.schema);
    await db.raw(`truncate ${Object.values(tables).join(', ')}`);
    await harness.history.openSink({ partitions: harness.deps.log.partitions }).load([0]);
    assert.partialDeepStrictEqual(await run({ verifies: false }), { kind: 'live', verdict: null });
    assert.deepEqual(await harness.rowsOf(harness.projection.schema), live);
  });

  it('REPLAY-20 writes nothing while it is paused, and goes on when it is resumed', async () => {
    const { db } = harness.history;
    const seen: Seen[] = [];
    // Slow enough to be caught between two partitions.
    const running = run({ ratePerSecond: 10 }, (progress) => seen.push(progress));
    await until('a partition is folded', () => (seen.at(-1)?.done ?? 0) > 0);
    const number = (await listBuilds(db, harness.projection)).at(-1)?.number ?? 0;
    await want(db, harness.projection, number, 'pause');
    await until('it knows that it is paused', () => seen.at(-1)?.isPaused === true);
    const [done, reports] = [seen.at(-1)?.done, seen.length];
    await until('it has reported while it was paused', () => seen.length > reports + 3);
    assert.equal(seen.at(-1)?.done, done);
    await want(db, harness.projection, number, 'run');
    assert.equal((await running).kind, 'live');
  });

  it('REPLAY-24 works less while the live projection is behind', async () => {
    await harness.append([roomHistory('late').next('ada', made.room())]);
    const shares: number[] = [];
    const options = { maxLagEvents: 0, ratePerSecond: 20, verifies: false };
    const running = run(options, ({ share }) => shares.push(share));
    await until('it works less', () => shares.some((share) => share < 0.5));
    await harness.projectLive();
    assert.equal((await running).kind, 'live');
    shares.length = 0;
    await run({ ratePerSecond: 20 }, ({ share }) => shares.push(share));
    assert.ok(shares.length > 1 && shares.every((share) => share === 1), 'all is well now');
  });

  it('REPLAY-22 a build that is not what the log says does not go live, and stays to be looked at', async () => {
    const { db } = harness.history;
    const end = await run({ flips: false });
    assert.equal(end.kind, 'ready');
    const { messages } = historyTables(schemaOfBuild(harness.projection, end.build));
    await db.raw(`update ${messages} set text = 'wrong' where room_id = 'room-5'`);
    // As if it had been killed before it verified.
    await enterState(db, harness.projection, end.build, 'verifying', 1);
    const live = await harness.rowsOf(harness.projection.schema);
    const again = await run();
    assert.partialDeepStrictEqual(again, {
      kind: 'differs',
      verdict: { second: { comparison: { differingRooms: 1 } } },
    });
    assert.deepEqual(await states(), ['live', 'refused']);
    assert.deepEqual(await harness.rowsOf(harness.projection.schema), live);
  });
});
