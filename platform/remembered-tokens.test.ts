import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Identity, TokenFault, TokenVerifier } from './auth.ts';
import { rememberTokens } from './remembered-tokens.ts';

const EXPIRES_AT = 10_000;

/** Knows tokens that begin with `good`, and counts how often it is asked. */
function countingVerifier() {
  const asked: string[] = [];
  let now = 0;
  const verifier: TokenVerifier = {
    verify(token): Identity | TokenFault {
      asked.push(token ?? '');
      if (token === undefined || token === '') return { fault: 'token_missing' };
      if (!token.startsWith('good')) return { fault: 'token_invalid' };
      if (now >= EXPIRES_AT) return { fault: 'token_expired' };
      return { userId: token, username: token, isOperator: false, expiresAt: EXPIRES_AT };
    },
  };
  return {
    asked,
    verifier,
    now: () => now,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

describe('remembered tokens', () => {
  it('PLT-24 a valid token is checked once until it expires, and then refused', () => {
    const { asked, verifier, now, pass } = countingVerifier();
    const tokens = rememberTokens(verifier, { now });
    const first = tokens.verify('good alice');
    assert.ok('userId' in first && first.userId === 'good alice');
    pass(EXPIRES_AT - 1);
    assert.deepEqual(tokens.verify('good alice'), first);
    assert.deepEqual(asked, ['good alice']);
    pass(1);
    assert.deepEqual(tokens.verify('good alice'), { fault: 'token_expired' });
    assert.deepEqual(tokens.verify('good alice'), { fault: 'token_expired' });
  });

  it('PLT-24 a fault is not remembered, and tokens are told apart by every character', () => {
    const { asked, verifier, now } = countingVerifier();
    const tokens = rememberTokens(verifier, { now });
    for (const token of ['bad', 'bad', '', undefined]) assert.ok('fault' in tokens.verify(token));
    assert.equal(asked.length, 4);
    for (const token of ['good a', 'good b', 'good a ', 'good A']) {
      const identity = tokens.verify(token);
      assert.ok('userId' in identity && identity.userId === token);
    }
  });

  it('PLT-24 at its bound the token that was checked first is checked again', () => {
    const { asked, verifier, now } = countingVerifier();
    const tokens = rememberTokens(verifier, { now, maxTokens: 2 });
    for (const token of ['good 1', 'good 2', 'good 3', 'good 3', 'good 2', 'good 1']) tokens.verify(token);
    assert.deepEqual(asked, ['good 1', 'good 2', 'good 3', 'good 1']);
  });
});
