import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { until } from '../../event-log/contract/log-probe.ts';
import { DatabaseUnavailableError } from '../../platform/database-faults.ts';
import { bookkeepingTables, historyTables } from '../../projections/history/tables.ts';
import { type HistoryAt, LiveHistory } from './live-history.ts';

class MissingError extends Error {}

/** A database with checkpoints of one partition by version, and what was asked of it. */
class World {
  live: number | null = 1;
  readonly checkpoints = new Map([
    [1, 100],
    [2, 100],
  ]);
  nowMs = 0;
  looks = 0;

  open(versions: readonly number[]): LiveHistory {
    return new LiveHistory({
      versions,
      at: (version): HistoryAt => {
        const tables = { ...historyTables(`history_v${version}`), ...bookkeepingTables('roomlog') };
        return { name: 'history', version, tables };
      },
      loadLive: async () => {
        this.looks += 1;
        return this.live;
      },
      loadCheckpoints: async ({ version }) => {
        const offset = this.checkpoints.get(version);
        return new Map(offset === undefined ? [] : [[0, offset]]);
      },
      isMissing: (error) => error instanceof MissingError,
      nowMs: () => this.nowMs,
    });
  }
}

const versionOf = (history: LiveHistory): Promise<number> => history.read(async ({ version }) => version);

describe('the version of the history that is read', () => {
  it('REPLAY-113 is the newest that is live and known, else the newest older one that is known', async () => {
    const world = new World();
    assert.equal(await versionOf(world.open([1, 2])), 1);
    world.live = 2;
    assert.equal(await versionOf(world.open([1, 2])), 2);
    assert.equal(await versionOf(world.open([1])), 1);
    world.live = 3;
    assert.equal(await versionOf(world.open([1, 2])), 2);
  });

  it('REPLAY-113 is none where all that the build knows are newer than what is live', async () => {
    const world = new World();
    await assert.rejects(versionOf(world.open([2])), DatabaseUnavailableError);
    world.live = null;
    await assert.rejects(versionOf(world.open([2])), DatabaseUnavailableError);
    assert.equal(
      await versionOf(world.open([1, 2])),
      1,
      'before projections with a pointer came there was only version 1',
    );
  });

  it('REPLAY-114 costs no query but one a second', async () => {
    const world = new World();
    const first = world.open([1]);
    for (let read = 0; read < 5; read++) await versionOf(first);
    assert.equal(world.looks, 0);
    const both = world.open([1, 2]);
    for (let read = 0; read < 50; read++) await versionOf(both);
    assert.equal(world.looks, 1);
    world.nowMs = 1_000;
    for (let read = 0; read < 50; read++) await versionOf(both);
    assert.equal(world.looks, 2);
  });

  it('REPLAY-114 is looked up before the read where nobody has read for long', async () => {
    const world = new World();
    const both = world.open([1, 2]);
    assert.equal(await versionOf(both), 1);
    world.live = 2;
    world.nowMs = 60_000;
    assert.equal(await versionOf(both), 2);
  });

  it('REPLAY-112 changes only when the other version has all that was shown, and no read goes on meanwhile', async () => {
    const world = new World();
    const both = world.open([1, 2]);
    const long = Promise.withResolvers<number>();
    const under = both.read(async () => long.promise);
    await until('it is looked up', async () => world.looks === 1);
    world.live = 2;
    world.nowMs = 60_000;
    const read: number[] = [];
    const next = versionOf(both).then((version) => read.push(version));
    await until('it is looked up again', async () => world.looks === 2);
    // What the long read shows is newer than what the other version has.
    world.checkpoints.set(1, 105);
    long.resolve(105);
    assert.equal(await under, 105);
    assert.deepEqual(read, [], 'the next read waits');
    world.checkpoints.set(2, 105);
    await next;
    assert.deepEqual(read, [2]);
  });

  it('REPLAY-112 stays as it is, for a while, where the other version does not get as far', async () => {
    const world = new World();
    const both = world.open([1, 2]);
    assert.equal(await versionOf(both), 1);
    world.live = 2;
    world.checkpoints.set(1, 105);
    world.nowMs = 60_000;
    const ticking = setInterval(() => {
      world.nowMs += 50;
    }, 1);
    try {
      assert.equal(await versionOf(both), 1);
    } finally {
      clearInterval(ticking);
    }
    const { looks } = world;
    world.nowMs += 2_000;
    assert.equal(await versionOf(both), 1);
    assert.equal(world.looks, looks);
    world.checkpoints.set(2, 105);
    world.nowMs += 60_000;
    assert.equal(await versionOf(both), 2);
  });

  it('REPLAY-115 is looked up at once where the tables that were read are gone', async () => {
    const world = new World();
    const both = world.open([1, 2]);
    assert.equal(await versionOf(both), 1);
    world.live = 2;
    world.checkpoints.delete(1);
    const read = await both.read(async ({ version }) => {
      if (version === 1) throw new MissingError();
      return version;
    });
    assert.equal(read, 2);
    await assert.rejects(
      both.read(async () => {
        throw new MissingError();
      }),
      MissingError,
    );
  });
});
