import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import type Koa from 'koa';
import { after, before, describe, it } from 'mocha';
import { closeServer, createHttpApp, listen, Problem } from './http-app.ts';
import { createLogger } from './logger.ts';
import { createMetrics } from './metrics.ts';

const PROBLEMS = {
  not_found: { status: 404, title: 'There is nothing at this address.', afterMs: 0 },
  method_not_allowed: { status: 405, title: 'Not that method.', afterMs: 0 },
  malformed_json: { status: 400, title: 'Not JSON.', afterMs: 0 },
  body_too_large: { status: 413, title: 'Too large.', afterMs: 0 },
  unsupported_media_type: { status: 415, title: 'Not application/json.', afterMs: 0 },
  rate_limited: { status: 429, title: 'Too many.', afterMs: 1_000 },
  unavailable: { status: 503, title: 'Not reachable.', afterMs: 1_000 },
  log_unavailable: { status: 503, title: 'The log did not confirm.', afterMs: 1_000 },
  internal: { status: 500, title: 'The service failed.', afterMs: 0 },
};

const routes: Koa.Middleware = async (context, next) => {
  if (context.path === '/echo') context.body = { got: context.request.body ?? null };
  else if (context.path === '/bug') throw new TypeError(`cannot read /secret/file.ts`);
  else if (context.path === '/limited') throw new Problem('rate_limited', { retryAfterMs: 1_200 });
  else if (context.path === '/away') throw Object.assign(new Error('ECONNREFUSED 10.0.0.1'), { retryable: true });
  else if (context.path === '/log') throw Object.assign(new Error('x'), { code: 'outcome_unknown', retryable: true });
  else await next();
};

describe('the HTTP app of every role', () => {
  let server: Server;
  let origin = '';
  let databaseFault: Error | null = null;

  before(async () => {
    const app = createHttpApp({
      role: 'test',
      log: createLogger('test', 'silent'),
      metrics: createMetrics(),
      problems: PROBLEMS,
      frontendUrl: 'https://a.example, https://b.example/',
      bodyLimitBytes: 64 * 1024,
      ready: {
        database: () => {
          if (databaseFault) throw databaseFault;
        },
        log: () => 'one stream is parked',
      },
    });
    app.use(routes);
    server = await listen(app, 0, '127.0.0.1');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => closeServer(server));

  async function problemOf(
    path: string,
    init: RequestInit = {},
  ): Promise<{ status: number; code: unknown; retryAfter: string | null }> {
    const response = await fetch(origin + path, init);
    const text = await response.text();
    assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/, text);
    assert.doesNotMatch(text, /secret|\.ts|stack|ECONN|TypeError/);
    const { code, status } = JSON.parse(text) as { code: unknown; status: number };
    assert.equal(status, response.status);
    return { status, code, retryAfter: response.headers.get('retry-after') };
  }

  const post = (body: string | Buffer, type = 'application/json', more: Record<string, string> = {}): RequestInit => ({
    method: 'POST',
    body,
    headers: { 'content-type': type, ...more },
  });

  it('PLT-11 answers every error with problem+json, and shows nothing of the inside', async () => {
    assert.deepEqual(await problemOf('/bug'), { status: 500, code: 'internal', retryAfter: null });
    assert.deepEqual(await problemOf('/nothing'), { status: 404, code: 'not_found', retryAfter: null });
    assert.equal((await problemOf('/%E0%A4%A')).status, 404);
    assert.equal((await problemOf('/echo%00')).status, 404);
  });

  it('PLT-12 says when to come back, in whole seconds', async () => {
    assert.deepEqual(await problemOf('/limited'), { status: 429, code: 'rate_limited', retryAfter: '2' });
    assert.deepEqual(await problemOf('/away'), { status: 503, code: 'unavailable', retryAfter: '1' });
    assert.deepEqual(await problemOf('/log'), { status: 503, code: 'log_unavailable', retryAfter: '1' });
  });

  it('PLT-13 takes bodies of JSON up to 64 KiB', async () => {
    const good = await fetch(`${origin}/echo`, post('{"text":"öl"}', 'application/json; charset=utf-8'));
    assert.deepEqual(await good.json(), { got: { text: 'öl' } });
    assert.equal((await problemOf('/echo', post('{"a":', 'application/json'))).code, 'malformed_json');
    assert.equal(
      (await problemOf('/echo', post('a=1', 'application/x-www-form-urlencoded'))).code,
      'unsupported_media_type',
    );
    assert.equal((await problemOf('/echo', post('{"a":1}', 'text/plain'))).code, 'unsupported_media_type');
    const large = JSON.stringify({ text: 'x'.repeat(70_000) });
    assert.equal((await problemOf('/echo', post(large))).code, 'body_too_large');
    const bomb = gzipSync(JSON.stringify({ text: 'x'.repeat(20_000_000) }));
    assert.ok(bomb.length < 64 * 1024, 'small enough as it is sent');
    assert.equal(
      (await problemOf('/echo', post(bomb, 'application/json', { 'content-encoding': 'gzip' }))).code,
      'body_too_large',
    );
  });

  it('PLT-14 lets browsers call from the configured origins only', async () => {
    const allowed = async (value: string) =>
      (await fetch(`${origin}/health`, { headers: { origin: value } })).headers.get('access-control-allow-origin');
    assert.equal(await allowed('https://a.example'), 'https://a.example');
    assert.equal(await allowed('https://b.example'), 'https://b.example');
    assert.equal(await allowed('https://c.example'), null);
    assert.equal(await allowed('null'), null);
  });

  it('PLT-15 tells of its health, of each dependency, and its metrics', async () => {
    assert.equal((await fetch(`${origin}/health`)).status, 200);
    const ready = await fetch(`${origin}/ready`);
    assert.equal(ready.status, 200);
    assert.deepEqual(((await ready.json()) as { checks: unknown }).checks, {
      database: { ok: true },
      log: { ok: true, note: 'one stream is parked' },
    });
    databaseFault = new Error('no connection');
    const notReady = await fetch(`${origin}/ready`);
    databaseFault = null;
    assert.equal(notReady.status, 503);
    assert.match(await notReady.text(), /"database":\{"ok":false,"error":"no connection"\}/);
    assert.match(await (await fetch(`${origin}/metrics`)).text(), /roomlog_test_http_seconds_bucket/);
  });

  it('PLT-6 lets requests under way end, and is closed soon although a client goes on asking', async () => {
    const waiting = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    const app = createHttpApp({
      role: 'closing',
      log: createLogger('test', 'silent'),
      metrics: createMetrics(),
      problems: PROBLEMS,
      frontendUrl: '*',
      bodyLimitBytes: 1_024,
      ready: {},
    });
    app.use(async (context) => {
      if (context.path === '/slow') {
        arrived.resolve();
        await waiting.promise;
      }
      context.body = { done: true };
    });
    const closing = await listen(app, 0, '127.0.0.1');
    const url = `http://127.0.0.1:${(closing.address() as AddressInfo).port}`;
    const asking = (async () => {
      for (;;) {
        if (!(await fetch(`${url}/quick`).catch(() => null))) return;
      }
    })();
    const slow = fetch(`${url}/slow`);
    await arrived.promise;
    const closed = closeServer(closing, 60_000);
    waiting.resolve();
    assert.equal((await slow).status, 200);
    await Promise.all([closed, asking]);
  });

  it('PLT-25 ends a connection whose request does not come, or only byte by byte, and serves the others', async () => {
    assert.ok(server.headersTimeout <= 10_000 && server.requestTimeout <= 30_000);
    server.headersTimeout = 200;
    const { hostname, port } = new URL(origin);
    const answers = ['', 'GET /health HTT', 'GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: '].map(async (start) => {
      const socket = connect(Number(port), hostname);
      socket.write(start);
      const dribble = setInterval(() => socket.write('x'), 50);
      socket.on('error', () => undefined);
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
      });
      await once(socket, 'close');
      clearInterval(dribble);
      return text;
    });
    assert.equal((await fetch(`${origin}/health`)).status, 200);
    for (const text of await Promise.all(answers)) assert.match(text, /^(HTTP\/1\.1 4\d\d |$)/);
    server.headersTimeout = 10_000;
  });

  it('PLT-16 names every request', async () => {
    const idOf = async (headers: Record<string, string>) =>
      (await fetch(`${origin}/health`, { headers })).headers.get('x-request-id');
    assert.equal(await idOf({ 'x-request-id': 'mine-1' }), 'mine-1');
    assert.match((await idOf({ 'x-request-id': 'not a plain one' })) ?? '', /^[0-9a-f-]{36}$/);
    assert.match((await idOf({})) ?? '', /^[0-9a-f-]{36}$/);
  });
});
