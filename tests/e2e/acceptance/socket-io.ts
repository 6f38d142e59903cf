// An unmodified socket.io-client with the calls of the integration guide, over both of its transports.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Socket } from 'socket.io-client';
import { CLIENT_FRAMES, type MessageView, SERVER_FRAMES } from '../../../schemas/wire.ts';
import { openSocketIo } from '../../support/documented-socket-io.ts';
import { newUser } from '../support/way.ts';
import type { GetWay } from './acceptance.ts';

const WAIT_MS = 10_000;

export function describeSocketIo(getWay: GetWay): void {
  for (const transport of ['websocket', 'polling'] as const) {
    describe(`socket.io over ${transport}`, () => {
      function connect(auth: object, headers: Record<string, string> = {}): Socket {
        return openSocketIo(getWay().socketUrl.replace('ws:', 'http:'), {
          transports: [transport],
          auth,
          extraHeaders: headers,
        });
      }

      it('serves the guide: join-room, receive-message, typing, user-joined, user-left', async () => {
        const [alice, bob] = [newUser(getWay(), 'alice'), newUser(getWay(), 'bob')];
        const room = await getWay().rest.createRoom(alice.token);
        await getWay().rest.join(bob.token, room.id);
        const old = await getWay().rest.send(alice.token, room.id, 'before');

        const a = connect({ token: alice.token });
        const recent = nextOf<{ messages: MessageView[] }>(a, SERVER_FRAMES.recentMessages);
        a.emit(CLIENT_FRAMES.joinRoom, room.id);
        assert.equal((await recent).messages[0]?.id, old.id);

        const joined = nextOf(a, SERVER_FRAMES.userJoined);
        const b = connect({}, { authorization: `Bearer ${bob.token}` });
        b.emit(CLIENT_FRAMES.joinRoom, room.id);
        assert.deepEqual(await joined, { roomId: room.id, userId: bob.userId, username: 'bob' });

        const received = [
          nextOf<MessageView>(a, SERVER_FRAMES.receiveMessage),
          nextOf<MessageView>(b, SERVER_FRAMES.receiveMessage),
        ];
        b.emit(CLIENT_FRAMES.sendMessage, { roomId: room.id, message: 'over socket.io' });
        for (const message of await Promise.all(received)) assert.equal(message.message, 'over socket.io');

        const typing = nextOf(a, SERVER_FRAMES.typing);
        b.emit(CLIENT_FRAMES.typing, room.id);
        assert.deepEqual(await typing, { roomId: room.id, userId: bob.userId, username: 'bob' });
        const stopped = nextOf(a, SERVER_FRAMES.stopTyping);
        b.emit(CLIENT_FRAMES.stopTyping, room.id);
        await stopped;

        const left = nextOf(a, SERVER_FRAMES.userLeft);
        b.emit(CLIENT_FRAMES.leaveRoom, room.id);
        assert.deepEqual(await left, { roomId: room.id, userId: bob.userId, username: 'bob' });
        a.disconnect();
        b.disconnect();
      });

      it('answers by acknowledgement: the message, or the code of the refusal', async () => {
        const alice = newUser(getWay(), 'alice');
        const room = await getWay().rest.createRoom(alice.token);
        const socket = connect({ token: alice.token });
        const ask = (event: string, data: unknown) =>
          socket.timeout(WAIT_MS).emitWithAck(event, data) as Promise<Answered>;
        const sent = await ask(CLIENT_FRAMES.sendMessage, { roomId: room.id, message: 'hello' });
        const { messages } = await getWay().rest.history(alice.token, room.id, {}, sent.data?.position);
        assert.equal(messages[0]?.id, sent.data?.message.id);
        assert.equal((await ask(CLIENT_FRAMES.joinRoom, 'no-such-room')).error?.code, 'room_not_found');
        assert.equal((await ask(CLIENT_FRAMES.sendMessage, { roomId: 5 })).error?.code, 'invalid_request');
        socket.disconnect();
      });

      it('refuses a connection without a good token', async () => {
        for (const auth of [{}, { token: 'wrong' }, { token: 5 }]) {
          const socket = connect(auth);
          const error = await new Promise<Error>((resolve, reject) => {
            socket.once('connect_error', resolve);
            socket.once('connect', () => reject(new Error('it was let in')));
          });
          assert.match(error.message, /^token_(missing|invalid)$/);
          socket.disconnect();
        }
      });
    });
  }
}

type Answered = { data?: { message: { id: string }; position: string }; error?: { code: string } };

function nextOf<Data>(socket: Socket, event: string): Promise<Data> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event} came`)), WAIT_MS);
    socket.once(event, (data: Data) => {
      clearTimeout(timer);
      resolve(data);
    });
  });
}
