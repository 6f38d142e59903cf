import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { CLOSE_CODES, type CloseName } from '../../schemas/close-codes.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { BOUNDS } from '../bounds.ts';
import { drain, type Leaving, untilGone } from './drain.ts';

describe('draining', () => {
  /** So many sockets that note when they are closed, and with which wait; a clock that only pauses move. */
  function open(count: number, isBusy: (index: number, now: number) => boolean = () => false) {
    let now = 0;
    let seed = 1;
    const closed: { at: number; name: CloseName; afterMs: number }[] = [];
    const paused = new Set<number>();
    const sockets = Array.from({ length: count }, (_, index) => {
      let afterMs = Number.NaN;
      const transport = {
        send: ({ name, json }: { name: string; json: string }) => {
          assert.equal(name, SERVER_FRAMES.draining);
          ({ afterMs } = JSON.parse(json) as { afterMs: number });
        },
        close: (name: CloseName) => {
          assert.ok(paused.has(index), 'a socket is read no more before it is closed');
          closed.push({ at: now, name, afterMs });
        },
      };
      return {
        transport,
        stopReading: () => paused.add(index),
        get isBusy() {
          return isBusy(index, now);
        },
      } as unknown as Leaving;
    });
    const pause = async (ms: number): Promise<void> => {
      // Of the pauses at the same time the shortest ones come first, as with a clock.
      const until = now + ms;
      while (now < until) {
        await Promise.resolve();
        now = Math.max(now, Math.min(until, now + 1));
      }
    };
    const random = (): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    return { sockets, closed, paused, deps: { drainMs: 3_000, pause, random }, now: () => now };
  }

  it('RT-89 many sockets go in equal portions over the time there is, each with a wait of its own', async () => {
    const { sockets, closed, deps } = open(20_000);
    await drain(sockets, deps);
    const portions = [...Map.groupBy(closed, ({ at }) => at).values()].map(({ length }) => length);
    assert.equal(portions.length, deps.drainMs / BOUNDS.drainEveryMs);
    assert.ok(Math.max(...portions) <= 20_000 / portions.length + 1);
    const waits = closed.map(({ afterMs }) => afterMs - CLOSE_CODES.draining.afterMs);
    assert.ok(waits.every((waitMs) => waitMs >= 0 && waitMs <= LIMITS.drainSpreadMs));
    // Evenly spread: every tenth of the range has about a tenth of them.
    const tenths = Array.from({ length: 10 }, (_, tenth) =>
      waits.filter((waitMs) => Math.min(9, Math.floor((waitMs / LIMITS.drainSpreadMs) * 10)) === tenth),
    );
    assert.ok(tenths.every(({ length }) => length > 1_800 && length < 2_200));
  });

  it('RT-89 few sockets go at once, and wait hardly longer than the table says', async () => {
    const { sockets, closed, deps, now } = open(BOUNDS.drainPortion);
    await drain(sockets, deps);
    assert.equal(closed.length, sockets.length);
    assert.equal(now(), 0);
    assert.ok(closed.every(({ afterMs }) => afterMs <= CLOSE_CODES.draining.afterMs + BOUNDS.drainPortion));
    await drain([], deps);
  });

  it('RT-89 who has no answer yet is waited for, for a bounded time, and nobody waits with them', async () => {
    const doneAt = 500;
    const { sockets, closed, deps } = open(
      3 * BOUNDS.drainPortion,
      (index, now) => index === 0 || (index === 1 && now < doneAt),
    );
    await drain(sockets, deps);
    assert.equal(closed.length, sockets.length);
    const late = closed.filter(({ at }) => at > 2 * BOUNDS.drainEveryMs + 10);
    assert.equal(late.length, 2);
    assert.ok((late[0]?.at ?? 0) >= doneAt);
    assert.ok((late[1]?.at ?? 0) >= BOUNDS.drainAnswersMs);
  });

  it('RT-89 who does not go away after the close frame is waited for for a bounded time', async () => {
    const { deps, now } = open(0);
    await untilGone({ size: () => 1 }, deps);
    assert.ok(now() >= BOUNDS.goodbyeMs);
    const gone = open(0);
    await untilGone({ size: () => 0 }, gone.deps);
    assert.equal(gone.now(), 0);
  });
});
