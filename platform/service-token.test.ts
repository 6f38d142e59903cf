import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { isServiceToken, serviceToken } from './service-token.ts';

describe('service token', () => {
  const token = serviceToken('secret', 'commands');

  it('is accepted where it was made of the same secret for the same purpose', () => {
    assert.ok(isServiceToken(serviceToken('secret', 'commands'), token));
  });

  it('is refused when missing, cut, or of another secret or purpose', () => {
    for (const given of [
      undefined,
      '',
      token.slice(0, 20),
      serviceToken('other', 'commands'),
      serviceToken('secret', 'other'),
    ])
      assert.ok(!isServiceToken(given, token));
  });
});
