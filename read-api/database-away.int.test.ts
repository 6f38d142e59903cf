import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { until } from '../event-log/contract/log-probe.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import { openReadApiHarness, type ReadApiHarness } from '../tests/support/read-api-harness.ts';
import { stackEnv } from '../tests/support/stack-env.ts';
import { openTcpProxy, type TcpProxy } from '../tests/support/tcp-proxy.ts';

const ADA = { userId: 'ada' };
const MESSAGES = '/api/v1/messages?chatroomId=lobby';

describe('reading while PostgreSQL is away', () => {
  let proxy: TcpProxy;
  let api: ReadApiHarness;

  beforeEach(async () => {
    const url = new URL(stackEnv.databaseUrl());
    proxy = await openTcpProxy({ host: url.hostname, port: Number(url.port) });
    url.host = `127.0.0.1:${proxy.port}`;
    api = await openReadApiHarness({}, url.href);
    const lobby = roomHistory('lobby');
    await api.project([lobby.next('ada', made.room()), lobby.next('ada', made.said('hello'))]);
  });

  afterEach(async () => {
    await api.close();
    await proxy.close();
  });

  it('READ-11 answers unavailable, and is well again by itself', async () => {
    await proxy.refuse();
    const began = performance.now();
    const away = await api.get(`${MESSAGES}&before=9`, ADA);
    assert.deepEqual([away.status, away.body.code], [503, 'unavailable']);
    assert.match(away.headers.get('retry-after') ?? '', /^\d+$/);
    assert.ok(performance.now() - began < 3_000);
    assert.equal((await api.get('/ready', null)).status, 503);
    await proxy.accept();
    await until('it reads again', async () => (await api.get(`${MESSAGES}&before=9`, ADA)).status === 200);
  });

  it('READ-11 still gives hot pages to members that the cache knows', async () => {
    await api.get(MESSAGES, ADA);
    await until('the room is in the cache', async () => (await api.cache.newest('lobby', 1)) !== null);
    await proxy.refuse();
    const hot = await api.get(MESSAGES, ADA);
    assert.deepEqual([hot.status, hot.headers.get('x-cache')], [200, 'hit']);
    assert.equal((await api.get(MESSAGES, { userId: 'stranger' })).body.code, 'unavailable');
    await proxy.accept();
  });
});
