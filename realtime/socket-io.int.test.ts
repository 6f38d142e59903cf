// An unmodified socket.io-client against the node, over WebSocket and over polling, with the integration guide's own calls.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { ManagerOptions, Socket, SocketOptions } from 'socket.io-client';
import { LIMITS } from '../schemas/limits.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { openSocket } from '../tests/e2e/support/chat-socket.ts';
import { assertAnswer } from '../tests/support/documented-frames.ts';
import { openSocketIo } from '../tests/support/documented-socket-io.ts';
import { openRealtimeWorld, type RealtimeNode, type RealtimeWorld } from '../tests/support/realtime-world.ts';

type Said = { message: string; version: number; userId: string };
type Answer = { data?: Record<string, unknown>; error?: { code: string; message: string } };

/** What a client of the guide would do with its events: remember them. */
class Guest {
  readonly socket: Socket;
  readonly heard: { event: string; data: Record<string, unknown> }[] = [];

  constructor(url: string, options: Partial<ManagerOptions & SocketOptions>) {
    this.socket = openSocketIo(url, options);
    this.socket.onAny((event: string, data: Record<string, unknown>) => {
      this.heard.push({ event, data });
    });
  }

  async ask(event: string, data: unknown): Promise<Answer> {
    const answer = (await this.socket.timeout(5_000).emitWithAck(event, data)) as Answer;
    assertAnswer(event, answer);
    return answer;
  }

  async next(event: string): Promise<Record<string, unknown>> {
    for (;;) {
      const index = this.heard.findIndex((one) => one.event === event);
      const found = this.heard[index];
      if (found) {
        this.heard.splice(index, 1);
        return found.data;
      }
      await new Promise((resolve) => this.socket.onAny(resolve));
    }
  }
}

/** Not node:events' once, which takes an event named error for a failure. */
function happening(socket: Socket, event: 'connect_error' | 'disconnect'): Promise<unknown> {
  return new Promise((resolve) => socket.once(event, resolve));
}

for (const transport of ['websocket', 'polling', 'polling, then websocket'] as const) {
  describe(`socket.io over ${transport}`, () => {
    let world: RealtimeWorld;
    let node: RealtimeNode;
    const guests: Guest[] = [];
    const transports = transport.split(', then ');

    beforeEach(async () => {
      world = await openRealtimeWorld();
      node = await world.openNode();
    });

    afterEach(async () => {
      for (const guest of guests.splice(0)) guest.socket.disconnect();
      await world.close();
    });

    function open(options: Partial<ManagerOptions & SocketOptions>): Guest {
      const guest = new Guest(node.httpUrl, { transports, ...options });
      guests.push(guest);
      return guest;
    }

    async function connect(userId: string): Promise<Guest> {
      const guest = open({ auth: { token: world.token(userId) } });
      await guest.next(SERVER_FRAMES.ready);
      return guest;
    }

    it('RT-22 joins by a plain room id, sends, receives, types and hears who comes and goes', async () => {
      const roomId = await world.room('ada', 'bob');
      const [ada, bob] = [await connect('ada'), await connect('bob')];
      ada.socket.emit(CLIENT_FRAMES.joinRoom, roomId);
      const recent = await ada.next(SERVER_FRAMES.recentMessages);
      assert.deepEqual(recent, { roomId, messages: [], version: 2 });
      const joined = await bob.ask(CLIENT_FRAMES.joinRoom, { roomId });
      assert.deepEqual(joined, { data: { roomId, version: 2 } });
      assert.equal((await ada.next(SERVER_FRAMES.userJoined)).userId, 'bob');
      bob.socket.emit(CLIENT_FRAMES.typing, { roomId });
      assert.equal((await ada.next(SERVER_FRAMES.typing)).userId, 'bob');
      bob.socket.emit(CLIENT_FRAMES.stopTyping, roomId);
      await ada.next(SERVER_FRAMES.stopTyping);
      bob.socket.emit(CLIENT_FRAMES.sendMessage, { roomId, message: 'hello 😀' });
      for (const guest of [ada, bob]) {
        const live = (await guest.next(SERVER_FRAMES.receiveMessage)) as Said;
        assert.deepEqual([live.message, live.userId, live.version], ['hello 😀', 'bob', 3]);
      }
      bob.socket.emit(CLIENT_FRAMES.leaveRoom, roomId);
      assert.equal((await ada.next(SERVER_FRAMES.userLeft)).userId, 'bob');
    });

    it('RT-22 a connection is one session, also when it says CONNECT many times at once', async () => {
      const polling = `${node.httpUrl}/socket.io/?EIO=4&transport=polling`;
      const { sid } = JSON.parse((await (await fetch(polling)).text()).slice(1)) as { sid: string };
      const connectPacket = `40${JSON.stringify({ token: world.token('ada') })}`;
      const body = Array.from({ length: 150 }, () => connectPacket).join('\x1e');
      const headers = { 'content-type': 'text/plain;charset=UTF-8' };
      await fetch(`${polling}&sid=${sid}`, { method: 'POST', body, headers });
      const answered = await (await fetch(`${polling}&sid=${sid}`)).text();
      assert.match(answered, /"busy"/);
      assert.match(await node.metrics.metrics(), /roomlog_realtime_sockets\{transport="socket-io"\} 1\n/);
    });

    it('RT-22 shares rooms with bare WebSockets, in the same order', async () => {
      const roomId = await world.room('ada', 'bob');
      const guest = await connect('ada');
      await guest.ask(CLIENT_FRAMES.joinRoom, roomId);
      const socket = await openSocket(node.url, world.token('bob', { isOperator: true }));
      await socket.ask(CLIENT_FRAMES.joinRoom, { roomId });
      await Promise.all(
        Array.from({ length: 200 }, (_, index) =>
          socket.ask(CLIENT_FRAMES.sendMessage, { roomId, message: `m${index}` }),
        ),
      );
      const versions = [];
      for (let index = 0; index < 200; index++) versions.push((await guest.next(SERVER_FRAMES.receiveMessage)).version);
      assert.deepEqual(
        versions,
        Array.from({ length: 200 }, (_, index) => index + 3),
      );
      await socket.close();
    });

    it('RT-23 an acknowledgement gets {data} or {error}; without one a refusal is an error event', async () => {
      const roomId = await world.room('ada');
      const eve = await connect('eve');
      assert.equal((await eve.ask(CLIENT_FRAMES.joinRoom, roomId)).error?.code, 'not_a_member');
      assert.equal((await eve.ask(CLIENT_FRAMES.sendMessage, 'just a text')).error?.code, 'invalid_request');
      assert.equal((await eve.ask('dance', {})).error?.code, 'unknown_event');
      assert.equal(
        (await eve.ask(CLIENT_FRAMES.joinRoom, { roomId, after: Buffer.from('1') })).error?.code,
        'invalid_request',
      );
      eve.socket.emit(CLIENT_FRAMES.sendMessage, { roomId, message: 'hi' });
      const error = await eve.next(SERVER_FRAMES.error);
      assert.deepEqual([error.code, error.event], ['not_a_member', CLIENT_FRAMES.sendMessage]);
      eve.socket.emit(CLIENT_FRAMES.joinRoom, roomId, 'more');
      assert.equal((await eve.next(SERVER_FRAMES.error)).code, 'malformed_frame');
    });

    it('RT-23 resumes after a version', async () => {
      const roomId = await world.room('ada');
      for (let index = 0; index < 700; index++) await world.say('ada', roomId, `m${index}`);
      const ada = await connect('ada');
      const answer = await ada.ask(CLIENT_FRAMES.joinRoom, { roomId, after: 5 });
      assert.deepEqual(answer, { data: { roomId, version: 701, recovered: true } });
      assert.deepEqual(
        ada.heard.map(({ data }) => data.version),
        Array.from({ length: 696 }, (_, index) => index + 6),
      );
    });

    it('RT-24 a handshake without a valid token ends in connect_error with the code', async () => {
      const handshakes = [
        [{}, 'token_missing'],
        [{ auth: { token: 'a.b.c' } }, 'token_invalid'],
        [{ auth: { token: world.token('ada', { expiresInSeconds: -5 }) } }, 'token_expired'],
      ] as const;
      for (const [options, code] of handshakes) {
        const error = (await happening(open(options).socket, 'connect_error')) as Error & { data: { code: string } };
        assert.deepEqual([error.message, error.data.code], [code, code]);
      }
      const byHeader = open({ extraHeaders: { authorization: `Bearer ${world.token('ada')}` } });
      assert.equal((await byHeader.next(SERVER_FRAMES.ready)).userId, 'ada');
    });

    it('RT-24 says why before it ends a connection', async () => {
      const guest = open({ auth: { token: world.token('ada', { expiresInSeconds: 30 }) } });
      await guest.next(SERVER_FRAMES.ready);
      const disconnected = happening(guest.socket, 'disconnect');
      world.pass(31_000);
      const error = await guest.next(SERVER_FRAMES.error);
      assert.deepEqual([error.code, error.closeCode, error.reconnect], ['tokenExpired', 4402, false]);
      await disconnected;
    });

    it('RT-24 a message larger than the limit ends the connection and harms nobody else', async () => {
      const [big, other] = [await connect('ada'), await connect('bob')];
      const disconnected = happening(big.socket, 'disconnect');
      big.socket.emit(CLIENT_FRAMES.sendMessage, { roomId: 'r', message: 'x'.repeat(2 * LIMITS.frameBytes) });
      await disconnected;
      assert.equal((await other.ask(CLIENT_FRAMES.leaveRoom, 'r')).error, undefined);
    });
  });
}
