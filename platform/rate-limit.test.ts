import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { createRateLimit, rateWindow } from './rate-limit.ts';
import { describeRateLimitContract } from './rate-limit-contract.ts';

describeRateLimitContract('memory', () => createRateLimit({ perSecond: 2, burst: 4, keyPrefix: 'test' }));

describe('rate limit', () => {
  it('RATE-2 0 per second turns it off', async () => {
    const limit = createRateLimit({ perSecond: 0, burst: 1, keyPrefix: 'test' });
    for (let call = 0; call < 100; call++) assert.equal(await limit.consume('ada'), null);
  });

  it('has a window of whole seconds in which the sustained rate is exactly PER_SECOND', () => {
    assert.deepEqual(rateWindow({ perSecond: 20, burst: 40 }), { points: 40, windowSeconds: 2 });
    assert.deepEqual(rateWindow({ perSecond: 20, burst: 45 }), { points: 60, windowSeconds: 3 });
    assert.deepEqual(rateWindow({ perSecond: 20, burst: 0 }), { points: 20, windowSeconds: 1 });
    assert.deepEqual(rateWindow({ perSecond: 5, burst: 1 }), { points: 5, windowSeconds: 1 });
  });
});
