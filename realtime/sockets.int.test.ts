// What clients of the bare WebSocket see of the connection itself: tokens, order, bounds, bad input, closing.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { WebSocket } from 'ws';
import { holds } from '../platform/pub-sub-contract.ts';
import { CLOSE_CODES } from '../schemas/close-codes.ts';
import { LIMITS } from '../schemas/limits.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { ChatSocket, openSocket } from '../tests/e2e/support/chat-socket.ts';
import { openRealtimeWorld, type RealtimeNode, type RealtimeWorld } from '../tests/support/realtime-world.ts';
import { BOUNDS } from './bounds.ts';

type Said = { message: string; version: number };

describe('sockets', () => {
  let world: RealtimeWorld;
  let node: RealtimeNode;
  const sockets: ChatSocket[] = [];

  beforeEach(async () => {
    world = await openRealtimeWorld();
    node = await world.openNode();
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.socket.terminate();
    await world.close();
  });

  const kept = <Kept extends ChatSocket>(socket: Kept): Kept => {
    sockets.push(socket);
    return socket;
  };

  async function connect(userId: string, more: Parameters<RealtimeWorld['token']>[1] = {}): Promise<ChatSocket> {
    const socket = kept(await openSocket(node.url, world.token(userId, more)));
    await socket.next(SERVER_FRAMES.ready);
    return socket;
  }

  async function connectWith(protocols: string[], headers: Record<string, string> = {}): Promise<ChatSocket> {
    const socket = kept(new ChatSocket(new WebSocket(node.url, protocols, { headers })));
    await once(socket.socket, 'open');
    return socket;
  }

  describe('tokens', () => {
    it('RT-1 takes the token from the header, from a subprotocol, or from the first frame, and says ready', async () => {
      const ready = { userId: 'ada', username: 'the ada' };
      const token = world.token('ada');
      assert.deepEqual(await kept(await openSocket(node.url, token)).next(SERVER_FRAMES.ready), ready);
      const bearer = await connectWith(['bearer', token]);
      assert.equal(bearer.socket.protocol, 'bearer');
      assert.deepEqual(await bearer.next(SERVER_FRAMES.ready), ready);
      assert.deepEqual(await (await connectWith([token])).next(SERVER_FRAMES.ready), ready);
      const first = await connectWith([]);
      assert.deepEqual(await first.ask(CLIENT_FRAMES.auth, { token }), ready);
      assert.deepEqual(await first.next(SERVER_FRAMES.ready), ready);
    });

    it('RT-1 never takes it from the URL, and answers nothing but auth before it', async () => {
      const socket = kept(new ChatSocket(new WebSocket(`${node.url}/?token=${world.token('ada')}`)));
      await once(socket.socket, 'open');
      assert.equal(await socket.refusal(CLIENT_FRAMES.joinRoom, { roomId: 'r' }), 'token_missing');
      world.pass(LIMITS.authenticationMs + 1_000);
      assert.equal((await socket.closed()).code, CLOSE_CODES.authenticationTimeout.code);
    });

    it('RT-2 closes with a code of its own for a token that is not valid and for one that has expired', async () => {
      const invalid = await connectWith([], { authorization: 'Bearer a.b.c' });
      assert.equal((await invalid.closed()).code, CLOSE_CODES.tokenInvalid.code);
      const expired = await connectWith(['bearer', world.token('ada', { expiresInSeconds: -10 })]);
      assert.equal((await expired.closed()).code, CLOSE_CODES.tokenExpired.code);
      const late = await connectWith([]);
      const answer = await late.answer(CLIENT_FRAMES.auth, { token: 'nonsense' });
      assert.equal(answer.error?.code, 'token_invalid');
      assert.equal((await late.closed()).code, CLOSE_CODES.tokenInvalid.code);
    });

    it('RT-2 closes when the token runs out, unless a fresh one of the same user came', async () => {
      const [kept1, renewed] = [
        await connect('ada', { expiresInSeconds: 10 }),
        await connect('ada', { expiresInSeconds: 10 }),
      ];
      assert.equal(await renewed.refusal(CLIENT_FRAMES.auth, { token: world.token('bob') }), 'token_of_another_user');
      await renewed.ask(CLIENT_FRAMES.auth, { token: world.token('ada', { expiresInSeconds: 600 }) });
      world.pass(12_000);
      assert.equal((await kept1.closed()).code, CLOSE_CODES.tokenExpired.code);
      await renewed.ask(CLIENT_FRAMES.leaveRoom, { roomId: 'r' });
    });
  });

  describe('commands', () => {
    it('RT-13 answers a message with its id, version and position once it is in the log, and delivers it to its sender too', async () => {
      const roomId = await world.room('ada');
      const ada = await connect('ada');
      await ada.ask(CLIENT_FRAMES.joinRoom, { roomId });
      const { message, position } = await ada.ask<{ message: Record<string, unknown>; position: string }>(
        CLIENT_FRAMES.sendMessage,
        { roomId, message: 'hello <b>', commandId: 'c-1' },
      );
      assert.match(position, /^\d+-\d+$/);
      const live = await ada.next<Record<string, unknown>>(SERVER_FRAMES.receiveMessage);
      const { id, version, timestamp } = live;
      assert.deepEqual(message, { id, roomId, version, timestamp, commandId: 'c-1' });
      assert.equal(live.message, 'hello <b>');
    });

    it('RT-14 frames of one socket are submitted in their order, without waiting for each answer', async () => {
      const roomId = await world.room('ada');
      const ada = await connect('ada');
      await ada.ask(CLIENT_FRAMES.joinRoom, { roomId });
      const texts = Array.from({ length: 1_000 }, (_, index) => `m${index}`);
      await Promise.all(texts.map((message) => ada.ask(CLIENT_FRAMES.sendMessage, { roomId, message })));
      await ada.next<Said>(SERVER_FRAMES.receiveMessage, ({ message }) => message === 'm999');
      assert.deepEqual(
        ada.all<Said>(SERVER_FRAMES.receiveMessage).map(({ message }) => message),
        texts,
      );
    });

    it('RT-13 refusals have their code, also as an error frame where no answer was asked for', async () => {
      const roomId = await world.room('ada');
      const eve = await connect('eve');
      const refusals: [object, string][] = [
        [{ roomId, message: 'hi' }, 'not_a_member'],
        [{ roomId, message: '' }, 'message_empty'],
        [{ roomId, message: 'x'.repeat(2_001) }, 'message_too_long'],
        [{ roomId, message: '\u0007' }, 'message_control_character'],
        [{ roomId, message: 'hi', replyTo: 'nothing' }, 'reply_to_unknown'],
        [{ roomId, message: 'hi', onBehalfOf: { userId: 'ada', username: 'Ada' } }, 'operator_only'],
        [{ roomId, message: 'hi', originalTime: '2020-01-01T00:00:00Z' }, 'operator_only'],
        [{ roomId, text: 'hi' }, 'invalid_request'],
        [{ roomId: `'; drop table rooms; --`, message: 'hi' }, 'room_not_found'],
      ];
      for (const [data, code] of refusals) assert.equal(await eve.refusal(CLIENT_FRAMES.sendMessage, data), code);
      eve.socket.send(`{"event":"send-message","data":{"roomId":"${roomId}","message":"\\ud800"},"ref":"lone"}`);
      eve.emit(CLIENT_FRAMES.sendMessage, { roomId, message: 'hi' });
      const error = await eve.next(SERVER_FRAMES.error);
      assert.deepEqual([error.code, error.event], ['not_a_member', CLIENT_FRAMES.sendMessage]);
    });

    it('RT-15 a user who sends too much is told how long to wait; an operator is not held back', async () => {
      const limited = await world.openNode({ writesPerSecond: 2 });
      const roomId = await world.room('ada', 'op');
      const send = { roomId, message: 'hi' };
      const ada = kept(await openSocket(limited.url, world.token('ada')));
      const answers = await Promise.all([1, 2, 3].map(() => ada.answer(CLIENT_FRAMES.sendMessage, send)));
      const errors = answers.map(({ error }) => error as { code: string; retryAfterMs: number } | undefined);
      assert.deepEqual(
        errors.map((error) => error?.code),
        [undefined, undefined, 'rate_limited'],
      );
      assert.ok(Number(errors[2]?.retryAfterMs) > 0);
      const operator = kept(await openSocket(limited.url, world.token('op', { isOperator: true })));
      await Promise.all([1, 2, 3, 4].map(() => operator.ask(CLIENT_FRAMES.sendMessage, send)));
    });
  });

  describe('bad input', () => {
    it('RT-3 what is no frame, or no known event, or not of its form, has its code and changes nothing', async () => {
      const ada = await connect('ada');
      for (const text of [
        '{',
        '[]',
        '1',
        '"x"',
        'null',
        '{}',
        '{"event":1}',
        '{"event":"x","more":1}',
        '{"event":"x","ref":{}}',
      ]) {
        ada.socket.send(text);
        const error = await ada.next(SERVER_FRAMES.error);
        assert.equal(error.code, 'malformed_frame', text);
      }
      assert.equal(await ada.refusal('dance', {}), 'unknown_event');
      assert.equal(await ada.refusal('constructor', {}), 'unknown_event');
      for (const data of [
        undefined,
        null,
        7,
        [],
        { roomId: 7 },
        { roomId: 'r', more: 1 },
        { roomId: 'r', after: 'x' },
      ]) {
        assert.equal(await ada.refusal(CLIENT_FRAMES.joinRoom, data), 'invalid_request');
      }
    });

    it('RT-3 too many of them close the socket', async () => {
      const ada = await connect('ada');
      for (let index = 0; index <= BOUNDS.badFrames; index++) ada.socket.send('nonsense');
      assert.equal((await ada.closed()).code, CLOSE_CODES.tooManyBadFrames.code);
    });

    it('RT-4 a binary frame and a frame of 10 MB close the socket with the codes for it', async () => {
      const binary = await connect('ada');
      binary.socket.send(Buffer.from('{"event":"typing"}'));
      assert.equal((await binary.closed()).code, CLOSE_CODES.unsupportedData.code);
      const big = await connect('ada');
      big.socket.send('x'.repeat(10 * 1024 * 1024));
      assert.equal((await big.closed()).code, CLOSE_CODES.frameTooBig.code);
      assert.equal(await node.metric('roomlog_realtime_closes_total{name="frameTooBig"}'), 1);
      await (await connect('ada')).ask(CLIENT_FRAMES.leaveRoom, { roomId: 'r' });
    });

    it('RT-16 10,000 frames at once are all answered, in bounded portions, while others are served', async () => {
      const roomId = await world.room('ada', 'bob');
      const [ada, bob] = [await connect('ada', { isOperator: true }), await connect('bob')];
      const answers = Array.from({ length: 10_000 }, (_, index) =>
        ada.answer(CLIENT_FRAMES.sendMessage, { roomId, message: `m${index}` }),
      );
      let answered = 0;
      for (const answer of answers) void answer.then(() => (answered += 1));
      await bob.ask(CLIENT_FRAMES.joinRoom, { roomId });
      assert.ok(answered < answers.length / 2, `bob was served after ${answered} frames of ada`);
      assert.ok((await Promise.all(answers)).every(({ error }) => error === undefined));
      await bob.next<Said>(SERVER_FRAMES.receiveMessage, ({ message }) => message === 'm9999');
    }).timeout(60_000);
  });

  describe('bounds', () => {
    it('RT-17 a socket that does not read is closed with slowConsumer, and nobody else feels it', async () => {
      const roomId = await world.room('ada', 'bob', 'op');
      const [slow, quick] = [await connect('bob'), await connect('ada')];
      for (const socket of [slow, quick]) await socket.ask(CLIENT_FRAMES.joinRoom, { roomId });
      slow.socket.pause();
      const operator = await connect('op', { isOperator: true });
      let sent = 0;
      while (!((await node.metric('roomlog_realtime_closes_total{name="slowConsumer"}')) === 1)) {
        const portion = Array.from({ length: 250 }, () =>
          operator.ask(CLIENT_FRAMES.sendMessage, { roomId, message: 'é'.repeat(2_000) }),
        );
        await Promise.all(portion);
        sent += portion.length;
        assert.ok(sent < 20_000, 'a socket that does not read is closed at last');
      }
      await quick.next<Said>(SERVER_FRAMES.receiveMessage, ({ version }) => version === sent + 3);
      assert.equal(quick.all(SERVER_FRAMES.receiveMessage).length, sent);
      await quick.next(SERVER_FRAMES.userLeft);
      slow.socket.resume();
      // It reads on, but what waited in the node is gone, and so is the connection after the grace.
      await slow.closed();
      assert.ok(slow.all(SERVER_FRAMES.receiveMessage).length < sent);
    }).timeout(60_000);

    it('RT-18 a socket that answers no ping is dropped, and the others learn that its user has gone', async () => {
      const roomId = await world.room('ada', 'bob');
      const [ada, dead] = [await connect('ada'), await connect('bob')];
      for (const socket of [ada, dead]) await socket.ask(CLIENT_FRAMES.joinRoom, { roomId });
      dead.socket.pause();
      for (let round = 0; round < 3; round++) {
        world.pass(BOUNDS.pingEveryMs);
        // A pong of the living has to come back before the next ping.
        await ada.ask(CLIENT_FRAMES.leaveRoom, { roomId: 'nowhere' });
      }
      await ada.next(SERVER_FRAMES.userLeft, ({ userId }) => userId === 'bob');
      assert.equal(await node.metric('roomlog_realtime_closes_total{name="heartbeatLost"}'), 1);
      assert.equal(await node.metric('roomlog_realtime_sockets{transport="ws"}'), 1);
    });

    it('RT-19 beyond the bound of sockets an upgrade is answered with 503', async () => {
      const small = await world.openNode({ maxSockets: 1 });
      kept(await openSocket(small.url, world.token('ada')));
      const refused = new WebSocket(small.url, { headers: { authorization: `Bearer ${world.token('bob')}` } });
      const [, response] = (await once(refused, 'unexpected-response')) as [unknown, { statusCode: number }];
      assert.equal(response.statusCode, 503);
      refused.on('error', () => {});
      refused.terminate();
    });

    it('RT-19 beyond the bound of rooms joining another is refused, unless an empty room can give way', async () => {
      const small = await world.openNode({ maxRooms: 1 });
      const [one, two] = [await world.room('ada'), await world.room('ada')];
      const ada = kept(await openSocket(small.url, world.token('ada')));
      await ada.ask(CLIENT_FRAMES.joinRoom, { roomId: one });
      assert.equal(await ada.refusal(CLIENT_FRAMES.joinRoom, { roomId: two }), 'busy');
      await ada.ask(CLIENT_FRAMES.leaveRoom, { roomId: one });
      await ada.ask(CLIENT_FRAMES.joinRoom, { roomId: two });
    });

    it('RT-19 a socket is joined to a bounded number of rooms', async () => {
      const wide = await world.openNode({ maxRooms: 2 * LIMITS.roomsPerSocket });
      const rooms = await Promise.all(Array.from({ length: LIMITS.roomsPerSocket + 1 }, () => world.room('ada')));
      const ada = kept(await openSocket(wide.url, world.token('ada')));
      const answers = await Promise.all(rooms.map((roomId) => ada.answer(CLIENT_FRAMES.joinRoom, { roomId })));
      const refusals = answers.flatMap(({ error }) => (error ? [error.code] : []));
      assert.deepEqual(refusals, ['too_many_rooms']);
    });

    it('RT-19 forgets a room some time after the last socket has left it', async () => {
      const roomId = await world.room('ada');
      const ada = await connect('ada');
      await ada.ask(CLIENT_FRAMES.joinRoom, { roomId });
      await ada.ask(CLIENT_FRAMES.leaveRoom, { roomId });
      world.pass(BOUNDS.emptyRoomMs - 2_000);
      assert.equal(await node.metric('roomlog_realtime_rooms '), 1);
      world.pass(3_000);
      assert.equal(await node.metric('roomlog_realtime_rooms '), 0);
    });
  });

  it('RT-20 a node that stops answers what is under way, then closes every socket with draining', async () => {
    const roomId = await world.room('ada');
    const ada = await connect('ada', { isOperator: true });
    await ada.ask(CLIENT_FRAMES.joinRoom, { roomId });
    const answers = Array.from({ length: 100 }, () => ada.answer(CLIENT_FRAMES.sendMessage, { roomId, message: 'x' }));
    await ada.next(SERVER_FRAMES.receiveMessage);
    const stopped = node.stop();
    assert.equal((await ada.closed()).code, CLOSE_CODES.draining.code);
    await stopped;
    assert.equal((await Promise.all(answers)).length, 100);
    await assert.rejects(openSocket(node.url, world.token('ada')));
  });

  it('RT-4 bytes that are no WebSocket end the connection and nothing else', async () => {
    const { hostname, port } = new URL(node.httpUrl);
    const raw = connectTcp(Number(port), hostname);
    raw.write(
      `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer ${world.token('ada')}\r\n\r\n`,
    );
    await once(raw, 'data');
    // Not masked, which RFC 6455 forbids a client.
    raw.write(Buffer.from([0x81, 0x02, 0x7b, 0x7d]));
    raw.resume();
    await once(raw, 'close');
    await holds(() => sockets.length === 0);
    await (await connect('ada')).ask(CLIENT_FRAMES.leaveRoom, { roomId: 'r' });
  });

  it('RT-21 the same server answers health, readiness and metrics', async () => {
    const responses = await Promise.all(
      ['/health', '/ready', '/metrics', '/nothing'].map((path) => fetch(node.httpUrl + path)),
    );
    assert.deepEqual(
      responses.map(({ status }) => status),
      [200, 200, 200, 404],
    );
  });
});
