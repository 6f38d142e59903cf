import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { Identity } from '../../platform/auth.ts';
import type { CloseName } from '../../schemas/close-codes.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { TokenClock, type TokenHolder } from './token-clock.ts';

const START = 1_800_000_000_000;
const SECOND_MS = 1_000;

class Holder {
  identity: Identity;
  readonly heard: { at: number; what: string; inMs?: number }[] = [];
  readonly #time: { now: number };

  constructor(expiresAt: number, time: { now: number }) {
    this.#time = time;
    this.identity = { userId: 'ada', username: 'ada', isOperator: false, expiresAt };
  }

  readonly transport = {
    send: ({ name, json }: { name: string; json: string }) => {
      const { inMs } = JSON.parse(json) as { inMs: number };
      this.heard.push({ at: this.#time.now, what: name, inMs });
    },
    close: (name: CloseName) => {
      this.heard.push({ at: this.#time.now, what: name });
      this.onClosed();
    },
  } as unknown as TokenHolder['transport'];

  onClosed = (): void => {};
}

describe('the clock of tokens', () => {
  const time = { now: START };

  function open(): { clock: TokenClock; add(expiresAt: number): Holder; pass(ms: number): void } {
    time.now = START;
    const clock = new TokenClock({ now: () => time.now });
    return {
      clock,
      add(expiresAt) {
        const holder = new Holder(expiresAt, time);
        holder.onClosed = () => clock.remove(holder);
        clock.add(holder);
        return holder;
      },
      pass(ms) {
        for (const end = time.now + ms; time.now < end; ) {
          time.now += SECOND_MS;
          clock.tick();
        }
      },
    };
  }

  it('RT-86 warns once, a minute before the end, and closes at the end, to the second, however far away it is', () => {
    const lives = fc.array(fc.integer({ min: 1, max: 3 * 3_600_000 }), { minLength: 1, maxLength: 40, size: 'max' });
    fc.assert(
      fc.property(lives, (livesMs) => {
        const { add, pass } = open();
        const holders = livesMs.map((lifeMs) => add(START + lifeMs));
        pass(Math.max(...livesMs) + 2 * SECOND_MS);
        for (const [index, { heard }] of holders.entries()) {
          const expiresAt = START + (livesMs[index] ?? 0);
          const warnAt = Math.max(START, expiresAt - LIMITS.tokenWarningMs);
          assert.deepEqual(
            heard.map(({ what }) => what),
            [SERVER_FRAMES.tokenExpiring, 'tokenExpired'],
          );
          const [warning, end] = heard;
          assert.ok(warning && end);
          assert.ok(warning.at >= warnAt && warning.at < warnAt + SECOND_MS);
          assert.equal(warning.inMs, expiresAt - warning.at);
          assert.ok(end.at >= expiresAt && end.at < expiresAt + SECOND_MS);
        }
      }),
      { numRuns: 30 },
    );
  }).timeout(60_000);

  it('RT-86 warns again for a fresh token, and forgets whoever has gone', () => {
    const { clock, add, pass } = open();
    const [renewed, gone] = [add(START + 100_000), add(START + 100_000)];
    pass(50_000);
    clock.remove(renewed);
    renewed.identity = { ...renewed.identity, expiresAt: START + 300_000 };
    clock.add(renewed);
    clock.remove(gone);
    pass(400_000);
    assert.deepEqual(
      renewed.heard.map(({ what, at }) => [what, at - START]),
      [
        [SERVER_FRAMES.tokenExpiring, 40_000],
        [SERVER_FRAMES.tokenExpiring, 240_000],
        ['tokenExpired', 300_000],
      ],
    );
    assert.deepEqual(
      gone.heard.map(({ what }) => what),
      [SERVER_FRAMES.tokenExpiring],
    );
  });

  it('RT-86 makes up for seconds that were missed, and goes on when the clock is put back', () => {
    const { clock, add, pass } = open();
    const holder = add(START + 200_000);
    time.now += 170_000;
    clock.tick();
    assert.equal(holder.heard.length, 1);
    const later = add(time.now + 120_000);
    time.now -= 3_600_000;
    clock.tick();
    pass(3_600_000 + 60_000);
    assert.deepEqual(
      later.heard.map(({ what }) => what),
      [SERVER_FRAMES.tokenExpiring],
    );
  });

  it('RT-86 takes a token without an end', () => {
    const { add, pass } = open();
    const holders = [add(Number.POSITIVE_INFINITY), add(1e300)];
    pass(100_000);
    assert.ok(holders.every(({ heard }) => heard.length === 0));
  });
});
