import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, it } from 'mocha';
import { SharedLook } from './shared-look.ts';

describe('a shared look', () => {
  it('RT-44 a thousand who ask get what is seen by a look that begins after they asked, by two looks in all', async () => {
    const looks: { answer: (seen: number) => void; fail: () => void }[] = [];
    const look = new SharedLook<number>(() => {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      looks.push({ answer: resolve, fail: () => reject(new Error('away')) });
      return promise;
    });
    const first = look.take();
    const others = Array.from({ length: 1_000 }, () => look.take());
    assert.equal(looks.length, 1);
    looks[0]?.answer(1);
    assert.equal(await first, 1);
    await turn();
    assert.equal(looks.length, 2);
    const late = look.take();
    looks[1]?.fail();
    for (const outcome of await Promise.allSettled(others)) assert.equal(outcome.status, 'rejected');
    await turn();
    looks[2]?.answer(3);
    assert.equal(await late, 3);
    await turn();
    void look.take();
    assert.equal(looks.length, 4);
  });
});
