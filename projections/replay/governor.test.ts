import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { Time } from '../../platform/time.ts';
import { Governor } from './governor.ts';
import { Pace } from './pace.ts';

const BOUNDS = { maxLagEvents: 1_000, maxReadMs: 20 };
const WELL = { lagEvents: 0, readMs: 1 };

describe('the governor of a rebuild', () => {
  it('REPLAY-24 works all the time while all is well', () => {
    const governor = new Governor(BOUNDS);
    for (let seconds = 0; seconds < 10; seconds += 1) governor.observe(WELL);
    assert.equal(governor.pauseMs(100), 0);
  });

  for (const [what, bad] of Object.entries({
    'the live projection is behind': { lagEvents: 1_001, readMs: 1 },
    'reads are slow': { lagEvents: 0, readMs: 21 },
    'a read failed': { lagEvents: 0, readMs: null },
  })) {
    it(`REPLAY-24 halves its work at once when ${what}, and comes back step by step`, () => {
      const governor = new Governor(BOUNDS);
      governor.observe(bad);
      assert.equal(governor.share, 0.5);
      assert.equal(governor.pauseMs(100), 100);
      governor.observe(bad);
      assert.equal(governor.share, 0.25);
      governor.observe(WELL);
      assert.ok(governor.share > 0.25 && governor.share < 0.5);
      for (let times = 0; times < 20; times += 1) governor.observe(WELL);
      assert.equal(governor.share, 1);
    });
  }

  it('REPLAY-24 law: it never stops altogether and never rests for longer than 5 s', () => {
    const seen = fc.record({
      lagEvents: fc.integer({ min: 0, max: 5_000 }),
      readMs: fc.option(fc.integer({ min: 0, max: 100 })),
    });
    fc.assert(
      fc.property(fc.array(seen), fc.integer({ min: 0, max: 60_000 }), (observations, workMs) => {
        const governor = new Governor(BOUNDS);
        for (const observation of observations) governor.observe(observation);
        assert.ok(governor.share >= 0.05 && governor.share <= 1);
        assert.ok(governor.pauseMs(workMs) >= 0 && governor.pauseMs(workMs) <= 5_000);
      }),
    );
  });
});

describe('the pace of a rebuild', () => {
  function simulated(): { time: Time; at: () => number; work: (ms: number) => void } {
    let nowMs = 0;
    const time: Time = {
      now: () => nowMs,
      pause: async (ms) => {
        nowMs += ms;
      },
      nextTurn: async () => undefined,
      every: () => () => undefined,
    };
    return {
      time,
      at: () => nowMs,
      work: (ms) => {
        nowMs += ms;
      },
    };
  }

  it('REPLAY-24 rests after each chunk in proportion to its work', async () => {
    const { time, at, work } = simulated();
    const governor = new Governor(BOUNDS);
    governor.observe({ lagEvents: 0, readMs: 99 });
    const pace = new Pace({ governor, time, signal: new AbortController().signal });
    for (let chunk = 0; chunk < 10; chunk += 1) {
      await pace.beforeChunk(0, 100);
      work(30);
    }
    assert.equal(at(), 10 * 30 + 9 * 30);
  });

  it('REPLAY-23 keeps to the rate that it was given, whatever the lanes', async () => {
    const { time, at } = simulated();
    const signal = new AbortController().signal;
    const pace = new Pace({ governor: new Governor(BOUNDS), time, signal, ratePerSecond: 1_000 });
    for (let chunk = 0; chunk < 20; chunk += 1) await pace.beforeChunk(chunk % 4, 500);
    assert.ok(at() >= 9_000 && at() <= 10_000, `${at()} ms for 10,000 events`);
  });

  it('REPLAY-20 holds still while it is paused, and wakes up when it is told to stop', async () => {
    const { time } = simulated();
    const stopping = new AbortController();
    let looks = 0;
    const pace = new Pace({
      governor: new Governor(BOUNDS),
      time: {
        ...time,
        pause: async () => {
          looks += 1;
          if (looks === 5) pace.isPaused = false;
        },
      },
      signal: stopping.signal,
    });
    pace.isPaused = true;
    await pace.beforeChunk(0, 1);
    assert.equal(looks, 5);
    pace.isPaused = true;
    stopping.abort();
    await pace.beforeChunk(0, 1);
  });
});
