// What clients of a room's Server-Sent Events see: the stream, resuming, refusals, the end, bounds.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { OutgoingHttpHeaders } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { holds } from '../platform/pub-sub-contract.ts';
import { CLOSE_CODES } from '../schemas/close-codes.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { type ChatSocket, openSocket } from '../tests/e2e/support/chat-socket.ts';
import { askForEvents, EventStream, refusal } from '../tests/support/event-stream.ts';
import { openRealtimeWorld, type RealtimeNode, type RealtimeWorld } from '../tests/support/realtime-world.ts';
import { BOUNDS } from './bounds.ts';

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at);

describe('streams of events', () => {
  let world: RealtimeWorld;
  let node: RealtimeNode;
  const open: { close(): unknown }[] = [];

  beforeEach(async () => {
    world = await openRealtimeWorld();
    node = await world.openNode();
  });

  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
    await world.close();
  });

  const urlOf = (roomId: string, query = '', at = node.httpUrl): string =>
    `${at}/api/v1/chatroom/${encodeURIComponent(roomId)}/events${query}`;

  const bearer = (userId: string, more?: Parameters<RealtimeWorld['token']>[1]) => ({
    authorization: `Bearer ${world.token(userId, more)}`,
  });

  async function stream(url: string, headers: OutgoingHttpHeaders): Promise<EventStream> {
    const response = await askForEvents(url, headers);
    assert.equal(response.statusCode, 200);
    const events = new EventStream(response);
    open.push(events);
    return events;
  }

  async function socketIn(roomId: string, userId: string): Promise<ChatSocket> {
    const chat = await openSocket(node.url, world.token(userId));
    open.push({ close: () => chat.socket.terminate() });
    await chat.ask(CLIENT_FRAMES.joinRoom, { roomId });
    return chat;
  }

  /** Else the room may be loaded without the last message, which then comes live. */
  async function historyHas(roomId: string, version: number): Promise<void> {
    while ((await world.history.roomSnapshot(roomId))?.version !== version) await new Promise(setImmediate);
  }

  async function metricIs(text: string, value: number): Promise<void> {
    while ((await node.metric(text)) !== value) await new Promise(setImmediate);
  }

  it('RT-110 a stream says ready and how long to wait, then gives the newest messages, then what happens, each with its version', async () => {
    const roomId = await world.room('ada', 'bob');
    for (const text of ['one', 'two']) await world.say('ada', roomId, text);
    await historyHas(roomId, 4);
    const bob = await stream(urlOf(roomId), bearer('bob'));
    assert.deepEqual(await bob.next(SERVER_FRAMES.ready), { userId: 'bob', username: 'the bob' });
    const recent = await bob.next(SERVER_FRAMES.recentMessages);
    assert.equal(recent.version, 4);
    await world.say('ada', roomId, 'line\nbreak 😀 \u2028');
    const live = await bob.next(SERVER_FRAMES.receiveMessage);
    assert.deepEqual([live.message, live.version], ['line\nbreak 😀 \u2028', 5]);
    assert.deepEqual(
      bob.events.map(({ event, id }) => [event, id]),
      [
        [SERVER_FRAMES.ready, undefined],
        [SERVER_FRAMES.recentMessages, '4'],
        [SERVER_FRAMES.receiveMessage, '5'],
      ],
    );
    const { retryMs = 0, response } = bob;
    assert.ok(retryMs >= BOUNDS.streamRetryMs && retryMs < BOUNDS.streamRetryMs + BOUNDS.streamRetrySpreadMs);
    const { headers } = response;
    assert.deepEqual(
      [headers['content-type'], headers['cache-control'], headers['x-accel-buffering']],
      ['text/event-stream; charset=utf-8', 'no-store, no-transform', 'no'],
    );
    assert.equal(headers['access-control-allow-origin'], '*');
  });

  it('RT-111 Last-Event-ID, and `after` where there is none, gives exactly the missed events, also those that only history has', async () => {
    const roomId = await world.room('ada', 'bob');
    for (let index = 0; index < 1_200; index++) await world.say('ada', roomId, `m${index}`);
    await socketIn(roomId, 'ada');
    for (let index = 0; index < 5; index++) await world.say('ada', roomId, `late${index}`);
    const cases: [string, OutgoingHttpHeaders, number][] = [
      ['', { 'last-event-id': '0' }, 0],
      ['', { 'last-event-id': '700' }, 700],
      ['?after=1203', {}, 1_203],
      ['?after=3', { 'last-event-id': '1206' }, 1_206],
      ['?after=1200', { 'last-event-id': '' }, 1_200],
      ['?after=1207', {}, 1_207],
    ];
    for (const [query, headers, after] of cases) {
      const bob = await stream(urlOf(roomId, query), { ...bearer('bob'), ...headers });
      await bob.next(SERVER_FRAMES.ready);
      if (after < 1_207) await bob.next(SERVER_FRAMES.receiveMessage, ({ version }) => version === 1_207);
      assert.deepEqual(bob.ids(), range(after + 1, 1_207));
      assert.ok(!bob.events.some(({ event }) => event === SERVER_FRAMES.recentMessages));
    }
    const live = await stream(urlOf(roomId, '?after=1207'), bearer('bob'));
    await world.say('ada', roomId, 'live');
    await live.next(SERVER_FRAMES.receiveMessage);
    assert.deepEqual(live.ids(), [1_208]);
  });

  it('RT-111 with reset=true who is far behind begins with the newest messages instead', async () => {
    const roomId = await world.room('ada');
    for (let index = 0; index < 1_200; index++) await world.say('ada', roomId, `m${index}`);
    await historyHas(roomId, 1_201);
    const far = await stream(urlOf(roomId, '?reset=true'), { ...bearer('ada'), 'last-event-id': '5' });
    assert.equal((await far.next(SERVER_FRAMES.recentMessages)).version, 1_201);
    assert.deepEqual(far.ids(), [1_201]);
    for (const query of ['?reset=false', '']) {
      const whole = await stream(urlOf(roomId, query), { ...bearer('ada'), 'last-event-id': '5' });
      await whole.next(SERVER_FRAMES.receiveMessage, ({ version }) => version === 1_201);
      assert.deepEqual(whole.ids(), range(6, 1_201));
    }
    assert.equal((await refusal(urlOf(roomId, '?reset=yes'), bearer('ada'))).code, 'invalid_request');
  });

  it('RT-112 a user of a stream is present, hears who comes, goes and types, and none of that changes the id', async () => {
    const roomId = await world.room('ada', 'bob');
    const bob = await stream(urlOf(roomId), bearer('bob'));
    await bob.next(SERVER_FRAMES.recentMessages);
    const ada = await socketIn(roomId, 'ada');
    assert.equal((await bob.next(SERVER_FRAMES.userJoined)).userId, 'ada');
    await ada.ask(CLIENT_FRAMES.typing, { roomId });
    assert.equal((await bob.next(SERVER_FRAMES.typing)).userId, 'ada');
    assert.deepEqual(
      bob.events.filter(({ id }) => id !== undefined).map(({ event }) => event),
      [SERVER_FRAMES.recentMessages],
    );
    bob.close();
    assert.equal((await ada.next(SERVER_FRAMES.userLeft)).userId, 'bob');
  });

  it('RT-113 what cannot be streamed is a problem with its status, and the connection goes on', async () => {
    const roomId = await world.room('ada');
    const ada = bearer('ada');
    const refusals: [string, OutgoingHttpHeaders, number, string][] = [
      [urlOf(roomId), {}, 401, 'token_missing'],
      [urlOf(roomId), { authorization: 'Bearer a.b.c' }, 401, 'token_invalid'],
      [urlOf(roomId), bearer('ada', { expiresInSeconds: -5 }), 401, 'token_expired'],
      [urlOf(roomId), bearer('eve'), 403, 'not_a_member'],
      [urlOf('nowhere'), ada, 404, 'room_not_found'],
      [urlOf(roomId, '?after=2'), ada, 409, 'version_ahead'],
      [urlOf(roomId), { ...ada, 'last-event-id': '999999999999999' }, 409, 'version_ahead'],
      [urlOf('x'.repeat(201)), ada, 400, 'invalid_request'],
      [urlOf('\0'), ada, 400, 'invalid_request'],
      ...['-1', '1.5', 'x', '1e3', ' ', '9'.repeat(16), '1, 1', roomId].flatMap((text): typeof refusals => [
        [urlOf(roomId, `?after=${encodeURIComponent(text)}`), ada, 400, 'invalid_request'],
        ...(text.trim() === ''
          ? []
          : ([[urlOf(roomId), { ...ada, 'last-event-id': text }, 400, 'invalid_request']] as typeof refusals)),
      ]),
      [urlOf(roomId, '?after=1&after=1'), ada, 400, 'invalid_request'],
      [urlOf(roomId, '?roomId=other&token=x'), ada, 400, 'invalid_request'],
      [urlOf(roomId, `?token=${world.token('ada')}`), {}, 401, 'token_missing'],
    ];
    for (const [url, headers, status, code] of refusals) {
      const { retryAfter, ...problem } = await refusal(url, headers);
      assert.deepEqual(problem, { status, code }, url);
      assert.equal(retryAfter, undefined);
    }
    for (const method of ['HEAD', 'POST', 'PUT', 'DELETE']) {
      assert.equal((await fetch(urlOf(roomId), { method, headers: ada })).status, 405, method);
    }
    world.history.goAway();
    const other = await world.openNode();
    const { status, retryAfter } = await refusal(urlOf(roomId, '', other.httpUrl), ada);
    assert.deepEqual([status, retryAfter], [503, '1']);
    assert.equal(await node.metric('roomlog_realtime_sockets{transport="sse"}'), 0);
  });

  it('RT-113 a preflight lets a page of another origin send the token and the id', async () => {
    const response = await fetch(urlOf('r'), {
      method: 'OPTIONS',
      headers: {
        origin: 'https://game.example',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization,last-event-id',
      },
    });
    assert.deepEqual(
      [response.status, response.headers.get('access-control-allow-headers')],
      [204, 'authorization,last-event-id'],
    );
  });

  it('RT-113 more joins than a user may have, sockets and streams together, are refused with the time to wait', async () => {
    const roomId = await world.room('ada');
    const ada = await socketIn(roomId, 'ada');
    await Promise.all(Array.from({ length: 2_000 }, () => ada.answer(CLIENT_FRAMES.joinRoom, { roomId, after: 1 })));
    const { status, code, retryAfter } = await refusal(urlOf(roomId), bearer('ada'));
    assert.deepEqual([status, code], [429, 'rate_limited']);
    assert.ok(Number(retryAfter) >= 1);
  });

  it('RT-114 after MemberLeft the stream ends with that event, and coming back is refused', async () => {
    const roomId = await world.room('ada', 'bob');
    const [bob, ada] = [await stream(urlOf(roomId), bearer('bob')), await stream(urlOf(roomId), bearer('ada'))];
    for (const one of [bob, ada]) await one.next(SERVER_FRAMES.recentMessages);
    const saying = [world.say('ada', roomId, 'before'), world.act('bob', { type: 'LeaveRoom', roomId })];
    await Promise.all([...saying, world.say('ada', roomId, 'after')]);
    await bob.ended();
    assert.deepEqual(bob.ids(), [2, 3, 4]);
    assert.equal(bob.events.at(-1)?.event, SERVER_FRAMES.memberLeft);
    await ada.next(SERVER_FRAMES.receiveMessage, ({ version }) => version === 5);
    assert.equal((await refusal(urlOf(roomId), { ...bearer('bob'), 'last-event-id': '4' })).code, 'not_a_member');
  });

  it('RT-115 when its token runs out a stream ends with an error that says so, and the old token does not come back', async () => {
    const roomId = await world.room('ada');
    const short = bearer('ada', { expiresInSeconds: 30 });
    const ada = await stream(urlOf(roomId), short);
    await ada.next(SERVER_FRAMES.recentMessages);
    world.pass(31_000);
    const { code, closeCode, reconnect } = await ada.next(SERVER_FRAMES.error);
    assert.deepEqual([code, closeCode, reconnect], ['tokenExpired', CLOSE_CODES.tokenExpired.code, false]);
    await ada.ended();
    assert.equal(await node.metric('roomlog_realtime_closes_total{name="tokenExpired"}'), 1);
  });

  it('RT-116 streams count for the bound of sockets, however many ask at once', async () => {
    const small = await world.openNode({ maxSockets: 3 });
    const roomId = await world.room('ada', 'bob');
    const url = urlOf(roomId, '', small.httpUrl);
    const socket = await openSocket(small.url, world.token('ada'));
    const responses = await Promise.all(Array.from({ length: 20 }, () => askForEvents(url, bearer('bob'))));
    for (const response of responses) open.push({ close: () => response.destroy() });
    assert.equal(responses.filter(({ statusCode }) => statusCode === 200).length, 2);
    const refused = responses.filter(({ statusCode }) => statusCode === 503);
    assert.equal(refused.length, 18);
    assert.ok(refused.every(({ headers }) => headers['retry-after'] === '2'));
    const upgrade = await fetch(`${small.httpUrl}/socket.io/?EIO=4&transport=polling`);
    assert.equal(upgrade.status, 403);
    await socket.close();
    let last = await askForEvents(url, bearer('bob'));
    while (last.statusCode !== 200) last = await askForEvents(url, bearer('bob'));
    open.push({ close: () => last.destroy() });
  });

  it('RT-116 a client that does not read is cut, nobody else feels it, and it comes back without loss', async () => {
    const roomId = await world.room('ada', 'bob');
    const [slow, quick] = [await stream(urlOf(roomId), bearer('bob')), await stream(urlOf(roomId), bearer('ada'))];
    for (const one of [slow, quick]) await one.next(SERVER_FRAMES.recentMessages);
    slow.response.pause();
    let sent = 0;
    while ((await node.metric('roomlog_realtime_closes_total{name="slowConsumer"}')) !== 1) {
      await Promise.all(Array.from({ length: 250 }, () => world.say('ada', roomId, 'é'.repeat(2_000))));
      sent += 250;
      assert.ok(sent < 20_000, 'a client that does not read is cut at last');
    }
    await quick.next(SERVER_FRAMES.receiveMessage, ({ version }) => version === sent + 2);
    assert.deepEqual(quick.ids(), range(2, sent + 2));
    await quick.next(SERVER_FRAMES.userLeft);
    slow.response.resume();
    await slow.ended();
    const has = slow.ids().at(-1) ?? 0;
    assert.ok(has < sent + 2);
    const back = await stream(urlOf(roomId), { ...bearer('bob'), 'last-event-id': String(has) });
    await back.next(SERVER_FRAMES.receiveMessage, ({ version }) => version === sent + 2);
    assert.deepEqual([...slow.ids(), ...back.ids()], range(2, sent + 2));
  }).timeout(60_000);

  it('RT-117 a quiet stream is pinged every 25 s and cut by no timeout of HTTP', async () => {
    const roomId = await world.room('ada');
    const ada = await stream(urlOf(roomId), bearer('ada'));
    await ada.next(SERVER_FRAMES.recentMessages);
    for (let round = 1; round <= 3; round++) {
      world.pass(BOUNDS.pingEveryMs);
      await ada.commented(round);
    }
    assert.deepEqual(ada.comments, ['ping', 'ping', 'ping']);
    await world.say('ada', roomId, 'still here');
    await ada.next(SERVER_FRAMES.receiveMessage);
  });

  it('RT-117 a connection that has ended and is not read is cut after a while', async () => {
    const roomId = await world.room('ada', 'bob');
    const raw = await rawStream(roomId, 'bob');
    const ada = await socketIn(roomId, 'ada');
    raw.pause();
    while (!node.connections().some(({ writableLength }) => writableLength > 64 * 1024)) {
      await world.say('ada', roomId, 'é'.repeat(2_000));
    }
    await world.act('bob', { type: 'LeaveRoom', roomId });
    await ada.next(SERVER_FRAMES.memberLeft);
    await metricIs('roomlog_realtime_sockets{transport="sse"}', 0);
    assert.equal(node.connections().length, 2);
    world.pass(BOUNDS.closeGraceMs + 1_000);
    await holds(() => node.connections().length === 1);
  });

  it('RT-117 a connection has one stream, and none behind another request', async () => {
    const roomId = await world.room('ada');
    const behind = connectTcp(Number(new URL(node.httpUrl).port), '127.0.0.1');
    open.push({ close: () => behind.destroy() });
    behind.write(`GET /ready HTTP/1.1\r\nHost: x\r\n\r\n${requestFor(roomId, 'ada')}`);
    let answers = '';
    while (!answers.includes('a stream needs its own connection')) answers += String((await once(behind, 'data'))[0]);
    const raw = await rawStream(roomId, 'ada');
    raw.write(requestFor(roomId, 'ada').repeat(2_000));
    await world.say('ada', roomId, 'hello');
    let text = '';
    while (!text.includes('"hello"')) text += String((await once(raw, 'data'))[0]);
    assert.equal(await node.metric('roomlog_realtime_sockets{transport="sse"}'), 1);
  });

  const requestFor = (roomId: string, userId: string): string =>
    `GET /api/v1/chatroom/${roomId}/events HTTP/1.1\r\nHost: x\r\nAuthorization: ${bearer(userId).authorization}\r\n\r\n`;

  async function rawStream(roomId: string, userId: string): Promise<Socket> {
    const raw = connectTcp(Number(new URL(node.httpUrl).port), '127.0.0.1');
    open.push({ close: () => raw.destroy() });
    raw.on('error', () => undefined);
    raw.write(requestFor(roomId, userId));
    await once(raw, 'data');
    return raw;
  }

  it('RT-118 a node that drains ends every stream with that, and takes no new ones', async () => {
    const roomId = await world.room('ada');
    const ada = await stream(urlOf(roomId), bearer('ada'));
    await ada.next(SERVER_FRAMES.recentMessages);
    await node.stop();
    const { code, closeCode, reconnect } = await ada.next(SERVER_FRAMES.error);
    assert.deepEqual([code, closeCode, reconnect], ['draining', CLOSE_CODES.draining.code, true]);
    await ada.ended();
  });

  it('RT-119 streams are counted, and their requests take the time until they begin', async () => {
    const roomId = await world.room('ada');
    const ada = await stream(urlOf(roomId), bearer('ada'));
    await ada.next(SERVER_FRAMES.recentMessages);
    assert.equal(await node.metric('roomlog_realtime_sockets{transport="sse"}'), 1);
    await metricIs('roomlog_realtime_http_seconds_count{method="GET",status="2xx"}', 1);
    ada.close();
    await metricIs('roomlog_realtime_sockets{transport="sse"}', 0);
    await refusal(urlOf(roomId), bearer('eve'));
    assert.equal(await node.metric('roomlog_realtime_refusals_total{code="not_a_member"}'), 1);
  });
});
