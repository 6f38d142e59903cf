import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { describe, it } from 'mocha';
import { bearerToken, createTokenVerifier, signToken } from './auth.ts';

const SECRET = 'a secret of the tests';
const tokens = createTokenVerifier({ secret: SECRET });
const inAnHour = Math.floor(Date.now() / 1_000) + 3_600;

function signed(claims: object, secret = SECRET, algorithm: jwt.Algorithm = 'HS256'): string {
  return jwt.sign(claims, secret, { algorithm });
}

function unsigned(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.`;
}

describe('tokens', () => {
  it('PLT-7 takes no algorithm but the configured one, and no key but the configured one', () => {
    const claims = { sub: 'alice', exp: inAnHour };
    for (const token of [
      unsigned(claims),
      signed(claims, 'another secret'),
      signed(claims, SECRET, 'HS512'),
      `${signed(claims)}x`,
      'not a token',
      'x'.repeat(10_000),
    ]) {
      assert.deepEqual(tokens.verify(token), { fault: 'token_invalid' }, token.slice(0, 80));
    }
    assert.deepEqual(tokens.verify(undefined), { fault: 'token_missing' });
    assert.deepEqual(tokens.verify(''), { fault: 'token_missing' });
  });

  it('PLT-7 does not take the public key for an HMAC secret', () => {
    for (const keys of [
      generateKeyPairSync('rsa', { modulusLength: 2048 }),
      generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    ]) {
      const publicKeyPem = keys.publicKey.export({ type: 'spki', format: 'pem' }).toString();
      const algorithm = keys.publicKey.asymmetricKeyType === 'rsa' ? 'RS256' : 'ES256';
      const verifier = createTokenVerifier({ publicKeyPem });
      const good = jwt.sign({ sub: 'alice', exp: inAnHour }, keys.privateKey, { algorithm });
      assert.ok('userId' in verifier.verify(good));
      const [header = '', payload = ''] = signed({ sub: 'alice', exp: inAnHour }).split('.');
      const forged = createHmac('sha256', publicKeyPem).update(`${header}.${payload}`).digest('base64url');
      assert.deepEqual(verifier.verify(`${header}.${payload}.${forged}`), { fault: 'token_invalid' });
      assert.deepEqual(verifier.verify(unsigned({ sub: 'alice', exp: inAnHour })), { fault: 'token_invalid' });
    }
  });

  it('PLT-8 wants exp, and not in the past', () => {
    assert.deepEqual(tokens.verify(signed({ sub: 'alice' })), { fault: 'token_invalid' });
    assert.deepEqual(tokens.verify(signed({ sub: 'alice', exp: 1_000 })), { fault: 'token_expired' });
  });

  it('PLT-9 takes sub, userId or id for the user, and username or name for the shown name', () => {
    const who = (claims: object) => {
      const identity = tokens.verify(signed({ ...claims, exp: inAnHour }));
      return 'fault' in identity ? identity.fault : [identity.userId, identity.username];
    };
    assert.deepEqual(who({ sub: 'a', userId: 'b', id: 'c', username: 'n', name: 'm' }), ['a', 'n']);
    assert.deepEqual(who({ userId: 'b', id: 'c', name: 'm' }), ['b', 'm']);
    assert.deepEqual(who({ id: 'c' }), ['c', 'c']);
    assert.equal(who({}), 'token_invalid');
    assert.equal(who({ id: 'nul\0' }), 'token_invalid');
    assert.equal(who({ id: 'x'.repeat(500) }), 'token_invalid');
    assert.equal(who({ id: 7 }), 'token_invalid');
  });

  it('PLT-10 makes an operator by the role platform-admin alone', () => {
    const isOperator = (claims: object) => {
      const identity = tokens.verify(signed({ sub: 'a', exp: inAnHour, ...claims }));
      return 'isOperator' in identity && identity.isOperator;
    };
    assert.equal(isOperator({ role: 'platform-admin' }), true);
    assert.equal(isOperator({ role: 'admin' }), false);
    assert.equal(isOperator({ role: ['platform-admin'] }), false);
    assert.equal(isOperator({}), false);
  });

  it('signs what it verifies', () => {
    const identity = tokens.verify(signToken({ userId: 'u', username: 'n', isOperator: true }, SECRET, 60));
    assert.ok('userId' in identity);
    assert.deepEqual([identity.userId, identity.username, identity.isOperator], ['u', 'n', true]);
  });

  it('wants exactly one kind of key', () => {
    assert.throws(() => createTokenVerifier({}), /secret or a public key/);
    assert.throws(() => createTokenVerifier({ secret: 'x', publicKeyPem: 'y' }), /not both/);
  });

  it('reads the token of a Bearer header, whatever its case', () => {
    assert.equal(bearerToken('Bearer abc'), 'abc');
    assert.equal(bearerToken('bearer   abc '), 'abc');
    for (const header of [undefined, '', 'abc', 'Basic abc', 'Bearer', 'Bearer a b']) {
      assert.equal(bearerToken(header), undefined, header);
    }
  });
});
