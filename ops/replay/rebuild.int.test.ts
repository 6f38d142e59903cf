import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { after, afterEach, before, beforeEach, describe, it } from 'mocha';
import { until } from '../../event-log/contract/log-probe.ts';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { openProjectedLog, type ProjectedLog } from '../../tests/support/projected-log.ts';
import { type ReplayEnd, type RunningReplay, runReplay, startReplay } from '../../tests/support/replay-cli.ts';

/** A rate at which a rebuild with one lane stands still between two partitions. */
const STANDING = ['--lanes', '1', '--rate', '1'];

describe('replay rebuild and what belongs to it', () => {
  let world: ProjectedLog;
  let started: RunningReplay[] = [];

  before(async () => {
    world = await openProjectedLog('test_rebuild');
    const rooms = Array.from({ length: 10 }, (_, at) => roomHistory(`room-${at}`));
    const turns = [made.room(), made.joined('bob'), made.said('one'), made.said('two'), made.left('bob')];
    await world.append(turns.flatMap((turn) => rooms.map((room) => room.next('ada', turn))));
    await world.project();
  });

  after(() => world.close());

  beforeEach(async () => {
    for (const { build } of await builds()) if ((await stateOf(build)) !== 'live') await drop(build);
  });

  afterEach(async () => {
    for (const { kill } of started) kill('SIGKILL');
    await Promise.all(started.map(({ ended }) => ended));
    started = [];
  });

  const replay = (...args: string[]): Promise<ReplayEnd> => runReplay(args, world.settings);
  const rebuild = (...args: string[]): Promise<ReplayEnd> => replay('rebuild', 'history', ...args);
  const drop = (build: number): Promise<ReplayEnd> => replay('drop', 'history', '--build', String(build));

  function start(...args: string[]): RunningReplay {
    const running = startReplay(args, world.settings);
    started.push(running);
    return running;
  }

  async function builds(): Promise<
    { build: number; state: string; wanted: string; progress: { done: number } | null }[]
  > {
    const { rows } = await world.db.raw<{ rows: Awaited<ReturnType<typeof builds>> }>(
      `select build, state, wanted, progress from roomlog.projection_builds order by build`,
    );
    return rows;
  }

  async function stateOf(build: number): Promise<string | undefined> {
    return (await builds()).find((one) => one.build === build)?.state;
  }

  async function newest(): Promise<{ build: number; state: string; wanted: string; done: number }> {
    const found = (await builds()).at(-1);
    return { build: 0, state: '', wanted: '', ...found, done: found?.progress?.done ?? 0 };
  }

  /** A rebuild that has folded one partition and waits for the next one. */
  async function startStanding(): Promise<RunningReplay> {
    const running = start('rebuild', 'history', ...STANDING);
    await until('the rebuild has folded a partition', async () => {
      const { state, done } = await newest();
      return state === 'copying' && done > 0;
    });
    return running;
  }

  const json = (end: ReplayEnd): Record<string, unknown> => JSON.parse(end.stdout) as Record<string, unknown>;

  it('REPLAY-18 makes a build, proves it, makes it live, and keeps the one before', async () => {
    const before = await world.queries.roomSnapshot('room-3');
    const end = await rebuild('--json');
    assert.equal(end.exit, 0, end.stderr);
    const { outcome, live, verified } = json(end);
    assert.partialDeepStrictEqual({ outcome, verified }, { outcome: 'live', verified: { verdict: 'equal' } });
    assert.equal(await stateOf(Number(live)), 'live');
    assert.equal((await builds()).filter(({ state }) => state === 'previous').length, 1);
    assert.deepEqual(await world.queries.roomSnapshot('room-3'), before);
  });

  it('REPLAY-19 killed and run again, it goes on with the same build', async () => {
    const running = await startStanding();
    const { build, done } = await newest();
    running.kill('SIGKILL');
    await running.ended;
    const end = await rebuild();
    assert.equal(end.exit, 0, end.stderr);
    assert.match(end.stderr, new RegExp(`goes on with build ${build}, which is copying`));
    assert.equal(await stateOf(build), 'live');
    assert.ok(done > 0);
  });

  it('REPLAY-19 Ctrl-C ends it in order, and it says how to go on', async () => {
    const running = await startStanding();
    running.kill('SIGINT');
    const end = await running.ended;
    assert.equal(end.exit, 130, end.stderr);
    assert.match(end.stderr, /rebuild history goes on with build \d+/);
    assert.equal((await newest()).state, 'copying');
  });

  it('REPLAY-20 can be paused, resumed and cancelled from another terminal', async () => {
    const running = await startStanding();
    const { build } = await newest();
    for (const [verb, wanted] of [
      ['pause', 'pause'],
      ['resume', 'run'],
    ] as const) {
      const end = await replay(verb, 'history');
      assert.equal(end.exit, 0, end.stderr);
      assert.equal((await newest()).wanted, wanted);
    }
    assert.equal((await replay('cancel', 'history')).exit, 0);
    assert.equal((await running.ended).exit, 130);
    assert.equal(await stateOf(build), undefined);
    const { rows } = await world.db.raw(`select 1 from pg_namespace where nspname = 'history_v1_b${build}'`);
    assert.deepEqual(rows, []);
  });

  it('REPLAY-20 what nobody works on cannot be paused or resumed, and can be cancelled', async () => {
    const running = await startStanding();
    running.kill('SIGKILL');
    await running.ended;
    for (const verb of ['pause', 'resume']) {
      const end = await replay(verb, 'history');
      assert.equal(end.exit, 4);
      assert.match(end.stderr, /nobody works on build \d+: .*rebuild history goes on with it/);
    }
    assert.equal((await replay('cancel', 'history')).exit, 0);
    assert.ok((await builds()).every(({ state }) => state === 'live' || state === 'previous'));
    assert.equal((await replay('pause', 'history')).exit, 4);
  });

  it('REPLAY-21 a second job on the projection is refused, and told who runs the first', async () => {
    const running = await startStanding();
    for (const args of [['rebuild'], ['flip'], ['rollback'], ['drop', '--previous']]) {
      const [verb = '', ...rest] = args;
      const end = await replay(verb, 'history', ...rest);
      assert.equal(end.exit, 4, `${verb}: ${end.stderr}`);
      assert.match(
        end.stderr,
        new RegExp(`running already: .*pid=${running.pid} host=${hostname().slice(0, 10)}.* since`),
      );
    }
  });

  it('REPLAY-22 where the live tables are wrong and the build is not, it says so and heals them', async () => {
    await world.db.raw(`update history_v1.messages set text = 'wrong' where room_id = 'room-2' and version = 3`);
    const end = await rebuild();
    assert.equal(end.exit, 0, end.stderr);
    assert.match(end.stdout, /the live tables are not what the log says/);
    assert.match(end.stdout, /room-2/);
    const page = await world.queries.messagePage('room-2', { newest: true }, 10);
    assert.deepEqual(
      page.messages.map(({ message }) => message),
      ['one', 'two'],
    );
  });

  it('REPLAY-25 a dry run says what it would do and changes nothing', async () => {
    const before = await builds();
    const end = await rebuild('--dry-run', '--json');
    assert.equal(end.exit, 0, end.stderr);
    assert.partialDeepStrictEqual(json(end), { events: 50, partitions: 2, verifies: true, flips: true });
    assert.deepEqual(await builds(), before);
  });

  it('REPLAY-26 flip makes a build live that waits; rollback undoes it, and rollback of that does it again', async () => {
    const waits = await rebuild('--no-flip', '--json');
    assert.equal(waits.exit, 0, waits.stderr);
    const { build, outcome } = json(waits);
    assert.equal(outcome, 'ready');
    const waiting = await rebuild();
    assert.equal(waiting.exit, 4);
    assert.match(waiting.stderr, /is ready and waits/);
    await world.append([roomHistory('late').next('ada', made.room())]);
    await world.project();
    assert.equal((await replay('flip', 'history')).exit, 0);
    assert.equal(await stateOf(Number(build)), 'live');
    assert.equal((await replay('flip', 'history')).exit, 4);
    for (const state of ['previous', 'live']) {
      assert.equal((await replay('rollback', 'history')).exit, 0);
      assert.equal(await stateOf(Number(build)), state);
      assert.ok(await world.queries.roomSnapshot('late'));
    }
    assert.equal((await replay('drop', 'history', '--previous')).exit, 0);
    assert.equal((await replay('rollback', 'history')).exit, 4);
    assert.equal((await drop(Number(build))).exit, 4);
    assert.equal((await drop(9_999)).exit, 2);
    assert.equal((await replay('drop', 'history')).exit, 2);
  });

  for (const [args, exit] of [
    [['--from', '0'], 0],
    [['--from', '2000-01-01'], 0],
    [['--from', '7'], 4],
    [['--from', '99999'], 2],
    [['--from', 'yesterday'], 2],
    [['--to', '1'], 0],
    [['--to', '99'], 2],
    [['--rate', '0'], 2],
    [['--lanes', '99'], 2],
  ] as const) {
    it(`REPLAY-27 rebuild ${args.join(' ')} ends with ${exit} before it has changed anything`, async () => {
      const before = await builds();
      const end = await rebuild('--dry-run', ...args);
      assert.equal(end.exit, exit, end.stderr);
      if (exit !== 0) assert.notEqual(end.stderr, '');
      assert.deepEqual(await builds(), before);
    });
  }

  it('REPLAY-27 an unknown projection is a mistake in the command line', async () => {
    for (const verb of ['rebuild', 'pause', 'flip', 'rollback']) {
      const end = await replay(verb, 'nonsense');
      assert.deepEqual([end.exit, end.stdout], [2, '']);
      assert.match(end.stderr, /there is no projection "nonsense"/);
    }
  });
});
