// What the limit does wherever it is counted; run on memory and on Redis.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { RateLimit } from './rate-limit.ts';

/** `open` makes a limit of its own name: 2 calls a second, 4 at once, so 4 calls in 2 seconds. */
export function describeRateLimitContract(where: string, open: () => RateLimit): void {
  describe(`rate limit in ${where}`, () => {
    it('RATE-1 lets a burst through, then refuses and says how long to wait', async () => {
      const limit = open();
      for (let call = 0; call < 4; call++) assert.equal(await limit.consume('ada'), null);
      for (let call = 0; call < 3; call++) {
        const refused = await limit.consume('ada');
        assert.ok(refused !== null && refused.retryAfterMs > 0 && refused.retryAfterMs <= 2_000);
      }
    });

    it('counts every key for itself', async () => {
      const limit = open();
      for (let call = 0; call < 5; call++) await limit.consume('ada');
      assert.equal(await limit.consume('bob'), null);
    });

    it('counts calls made at the same time one by one', async () => {
      const limit = open();
      const answers = await Promise.all(Array.from({ length: 10 }, () => limit.consume('ada')));
      assert.equal(answers.filter((answer) => answer === null).length, 4);
    });

    it('lets calls through again when the window has ended', async () => {
      const limit = open();
      for (let call = 0; call < 4; call++) assert.equal(await limit.consume('ada'), null);
      const refused = await limit.consume('ada');
      const deadline = Date.now() + 5_000;
      while ((await limit.consume('ada')) !== null) {
        assert.ok(Date.now() < deadline, 'still refused after 5 s');
        await new Promise((resolve) => setTimeout(resolve, Math.min(refused?.retryAfterMs ?? 0, 100)));
      }
    });
  });
}
