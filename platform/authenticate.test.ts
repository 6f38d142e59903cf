import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Koa from 'koa';
import { after, before, describe, it } from 'mocha';
import { createTokenVerifier, signToken } from './auth.ts';
import { authenticate, identityOf } from './authenticate.ts';
import { closeServer, listen, Problem } from './http-app.ts';

const SECRET = 'a secret of the tests';

describe('authenticate', () => {
  let server: Server;
  let url: string;

  before(async () => {
    const app = new Koa();
    app.use(async (context, next) => {
      try {
        await next();
      } catch (error) {
        context.status = 401;
        context.body = error instanceof Problem ? error.code : String(error);
      }
    });
    app.use(authenticate(createTokenVerifier({ secret: SECRET })));
    app.use((context) => {
      context.body = identityOf(context);
    });
    server = await listen(app, 0, '127.0.0.1');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });

  after(() => closeServer(server));

  async function ask(authorization?: string): Promise<string> {
    const response = await fetch(url, authorization === undefined ? {} : { headers: { authorization } });
    return response.text();
  }

  it('hands the identity of the token to the route', async () => {
    const token = signToken({ userId: 'u1', username: 'Ada' }, SECRET, 60);
    const identity = JSON.parse(await ask(`Bearer ${token}`));
    assert.equal(identity.userId, 'u1');
    assert.equal(identity.username, 'Ada');
    assert.equal(identity.isOperator, false);
  });

  it('tells a missing, a wrong and an expired token apart', async () => {
    assert.equal(await ask(), 'token_missing');
    assert.equal(await ask('Basic dTpw'), 'token_missing');
    assert.equal(await ask(`Bearer ${signToken({ userId: 'u1' }, 'another secret', 60)}`), 'token_invalid');
    assert.equal(await ask(`Bearer ${signToken({ userId: 'u1' }, SECRET, -60)}`), 'token_expired');
  });
});

describe('identityOf', () => {
  it('asserts that the route is behind authenticate', () => {
    assert.throws(() => identityOf({ state: {} }), assert.AssertionError);
  });
});
