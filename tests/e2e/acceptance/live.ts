// Live over the plain WebSocket: join and leave, messages, typing, presence, resuming.
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { describe, it } from 'mocha';
import { signToken } from '../../../platform/auth.ts';
import { CLOSE_CODES } from '../../../schemas/close-codes.ts';
import { LIMITS } from '../../../schemas/limits.ts';
import type { PresentUser } from '../../../schemas/presence.ts';
import { CLIENT_FRAMES, type MessageView, SERVER_FRAMES } from '../../../schemas/wire.ts';
import { type ChatSocket, openSocket } from '../support/chat-socket.ts';
import { newUser } from '../support/way.ts';
import type { GetWay } from './acceptance.ts';

type User = ReturnType<typeof newUser>;
type Recent = { roomId: string; messages: MessageView[]; version: number };

type Present = { members?: PresentUser[]; count: number };

const byUserId = (one: PresentUser, other: PresentUser): number => (one.userId < other.userId ? -1 : 1);

/** Asks until the answer is that: one reading of a room serves for a second. */
async function answers(ask: () => Promise<{ body: unknown }>, expected: object): Promise<void> {
  while (!isDeepStrictEqual((await ask()).body, expected)) await pause(100);
}

export function describeLive(getWay: GetWay): void {
  const open = (user: User): Promise<ChatSocket> => openSocket(getWay().socketUrl, user.token);

  /** A room with these members; the first one owns it. */
  async function openRoom(...members: User[]): Promise<string> {
    const [owner, ...others] = members;
    assert.ok(owner);
    const room = await getWay().rest.createRoom(owner.token);
    for (const { token } of others) await getWay().rest.join(token, room.id);
    return room.id;
  }

  describe('live', () => {
    it('a member who joins gets the recent messages, then every new one, from whichever door it came', async () => {
      const [alice, bob] = [newUser(getWay(), 'alice'), newUser(getWay(), 'bob')];
      const roomId = await openRoom(alice, bob);
      const old = await getWay().rest.send(alice.token, roomId, 'before');
      // What history does not have yet when somebody joins comes as a live frame instead.
      await getWay().rest.history(alice.token, roomId, {}, old.position);
      const socket = await open(bob);
      const joined = await socket.ask<{ version: number }>(CLIENT_FRAMES.joinRoom, { roomId });
      const recent = await socket.next<Recent>(SERVER_FRAMES.recentMessages);
      assert.equal(recent.roomId, roomId);
      assert.deepEqual(
        recent.messages.map(({ id }) => id),
        [old.id],
      );
      assert.equal(recent.version, old.version);
      assert.ok(joined.version >= recent.version);
      const { position: _, ...byRest } = await getWay().rest.send(alice.token, roomId, 'by REST');
      assert.deepEqual(await socket.next<MessageView>(SERVER_FRAMES.receiveMessage), byRest);
      const sent = await socket.ask<{ message: { id: string }; position: string }>(CLIENT_FRAMES.sendMessage, {
        roomId,
        message: 'by socket',
      });
      const own = await socket.next<MessageView>(SERVER_FRAMES.receiveMessage);
      assert.deepEqual([own.id, own.message, own.userId], [sent.message.id, 'by socket', bob.userId]);
      const { messages } = await getWay().rest.history(alice.token, roomId, {}, sent.position);
      assert.deepEqual(messages.at(-1), own, 'history and live show the same');
      await socket.close();
    });

    it('all members see the same messages in the same order, with dense versions', async () => {
      const users = ['alice', 'bob', 'carol'].map((name) => newUser(getWay(), name));
      const roomId = await openRoom(...users);
      const sockets = await Promise.all(users.map(open));
      for (const socket of sockets) await socket.ask(CLIENT_FRAMES.joinRoom, { roomId });
      await Promise.all(
        sockets.flatMap((socket) =>
          Array.from({ length: 10 }, (_, n) => socket.ask(CLIENT_FRAMES.sendMessage, { roomId, message: `m ${n}` })),
        ),
      );
      const seen = await Promise.all(
        sockets.map(async (socket) => {
          const messages: MessageView[] = [];
          while (messages.length < 30) messages.push(await socket.next<MessageView>(SERVER_FRAMES.receiveMessage));
          return messages;
        }),
      );
      const [first = []] = seen;
      for (const messages of seen) assert.deepEqual(messages, first);
      for (const [index, { version }] of first.entries()) assert.equal(version, (first[0]?.version ?? 0) + index);
      for (const socket of sockets) await socket.close();
    });

    it('typing shows to the others, and ends by stop-typing, by silence, or by leaving', async () => {
      const [alice, bob] = [newUser(getWay(), 'alice'), newUser(getWay(), 'bob')];
      const roomId = await openRoom(alice, bob);
      const [a, b] = [await open(alice), await open(bob)];
      await a.ask(CLIENT_FRAMES.joinRoom, { roomId });
      await b.ask(CLIENT_FRAMES.joinRoom, { roomId });
      a.emit(CLIENT_FRAMES.typing, { roomId });
      const typing = await b.next(SERVER_FRAMES.typing);
      assert.deepEqual(typing, { roomId, userId: alice.userId, username: 'alice' });
      a.emit(CLIENT_FRAMES.stopTyping, { roomId });
      assert.deepEqual(await b.next(SERVER_FRAMES.stopTyping), typing);
      await a.ask(CLIENT_FRAMES.typing, { roomId });
      const since = performance.now();
      await b.next(SERVER_FRAMES.typing);
      await b.next(SERVER_FRAMES.stopTyping);
      assert.ok(performance.now() - since < LIMITS.typingMs + 3_000, 'silence ends it');
      assert.deepEqual(a.all(SERVER_FRAMES.typing), [], 'nobody is told of their own typing');
      await a.close();
      await b.close();
    });

    it('user-joined and user-left go to the others with the first and the last socket of a user', async () => {
      const [alice, bob] = [newUser(getWay(), 'alice'), newUser(getWay(), 'bob')];
      const roomId = await openRoom(alice, bob);
      const a = await open(alice);
      await a.ask(CLIENT_FRAMES.joinRoom, { roomId });
      const [first, second] = [await open(bob), await open(bob)];
      await first.ask(CLIENT_FRAMES.joinRoom, { roomId });
      const joined = await a.next(SERVER_FRAMES.userJoined);
      assert.deepEqual(joined, { roomId, userId: bob.userId, username: 'bob' });
      await second.ask(CLIENT_FRAMES.joinRoom, { roomId });
      await first.ask(CLIENT_FRAMES.leaveRoom, { roomId });
      assert.equal(a.all(SERVER_FRAMES.userLeft).length, 0, 'another socket is still there');
      second.socket.terminate();
      assert.deepEqual(await a.next(SERVER_FRAMES.userLeft), joined);
      assert.equal(a.all(SERVER_FRAMES.userJoined).length, 1);
      await a.close();
      await first.close();
    });

    it('who is present is told by frames and answered over REST', async () => {
      const [alice, bob] = [newUser(getWay(), 'alice'), newUser(getWay(), 'bob')];
      const roomId = await openRoom(alice, bob);
      const [a, b] = [await open(alice), await open(bob)];
      await a.ask(CLIENT_FRAMES.joinRoom, { roomId });
      const both = [alice, bob].map(({ userId, username }) => ({ userId, username }));
      both.sort(byUserId);
      const isBoth = ({ members }: Present): boolean => isDeepStrictEqual(members?.toSorted(byUserId), both);
      const first = await a.next<Present>(SERVER_FRAMES.presence);
      assert.deepEqual(first.members, [{ userId: alice.userId, username: 'alice' }]);
      await b.ask(CLIENT_FRAMES.joinRoom, { roomId });
      await b.next<Present>(SERVER_FRAMES.presence, isBoth);
      const ask = () => getWay().rest.call('GET', `/api/v1/chatroom/${roomId}/presence`, { token: bob.token });
      await answers(ask, { count: 2, members: both });
      b.socket.terminate();
      const gone = { count: 1, large: false, joined: [], left: [{ userId: bob.userId, username: 'bob' }] };
      await a.next<Present>(SERVER_FRAMES.presence, (told) => isDeepStrictEqual(told, { roomId, ...gone }));
      await answers(ask, { count: 1, members: both.filter(({ userId }) => userId === alice.userId) });
      await a.close();
    });

    it('membership has frames of its own, and who leaves the room hears no more of it', async () => {
      const [alice, bob] = [newUser(getWay(), 'alice'), newUser(getWay(), 'bob')];
      const roomId = await openRoom(alice);
      const a = await open(alice);
      await a.ask(CLIENT_FRAMES.joinRoom, { roomId });
      await getWay().rest.join(bob.token, roomId);
      assert.equal((await a.next<{ userId: string }>(SERVER_FRAMES.memberJoined)).userId, bob.userId);
      const b = await open(bob);
      await b.ask(CLIENT_FRAMES.joinRoom, { roomId });
      await getWay().rest.call('POST', '/api/v1/chatroom/leave', { token: bob.token, body: { chatroomId: roomId } });
      assert.equal((await a.next<{ userId: string }>(SERVER_FRAMES.memberLeft)).userId, bob.userId);
      await a.ask(CLIENT_FRAMES.sendMessage, { roomId, message: 'not for bob' });
      await a.next(SERVER_FRAMES.receiveMessage);
      assert.equal(await b.refusal(CLIENT_FRAMES.joinRoom, { roomId }), 'not_a_member');
      assert.deepEqual(b.all(SERVER_FRAMES.receiveMessage), []);
      await a.close();
      await b.close();
    });

    it('a socket that has left a room hears nothing of it', async () => {
      const alice = newUser(getWay(), 'alice');
      const roomId = await openRoom(alice);
      const [stays, leaves] = [await open(alice), await open(alice)];
      await stays.ask(CLIENT_FRAMES.joinRoom, { roomId });
      await leaves.ask(CLIENT_FRAMES.joinRoom, { roomId });
      await leaves.ask(CLIENT_FRAMES.leaveRoom, { roomId });
      await stays.ask(CLIENT_FRAMES.sendMessage, { roomId, message: 'hello' });
      await stays.next(SERVER_FRAMES.receiveMessage);
      await leaves.ask(CLIENT_FRAMES.leaveRoom, { roomId });
      assert.deepEqual(leaves.all(SERVER_FRAMES.receiveMessage), []);
      await stays.close();
      await leaves.close();
    });

    it('who comes back with the last version gets exactly what was missed', async () => {
      const [alice, bob, operator] = [
        newUser(getWay(), 'alice'),
        newUser(getWay(), 'bob'),
        newUser(getWay(), 'operator', true),
      ];
      const roomId = await openRoom(operator, alice, bob);
      const before = await open(bob);
      await before.ask(CLIENT_FRAMES.joinRoom, { roomId });
      const last = await getWay().rest.send(alice.token, roomId, 'seen');
      await before.next(SERVER_FRAMES.receiveMessage);
      await before.close();
      const missed: string[] = [];
      for (let n = 0; n < 70; n++) {
        missed.push((await getWay().rest.send(operator.token, roomId, `missed ${n}`)).id);
      }
      const after = await open(bob);
      await after.ask(CLIENT_FRAMES.joinRoom, { roomId, after: last.version });
      const live = await getWay().rest.send(operator.token, roomId, 'live');
      await after.next<MessageView>(SERVER_FRAMES.receiveMessage, ({ id }) => id === live.id);
      assert.deepEqual(
        after.all<MessageView>(SERVER_FRAMES.receiveMessage).map(({ id }) => id),
        [...missed, live.id],
      );
      assert.deepEqual(after.all(SERVER_FRAMES.recentMessages), []);
      await after.close();
    });

    it('a room of which one is no member is not joined', async () => {
      const [alice, bob] = [newUser(getWay(), 'alice'), newUser(getWay(), 'bob')];
      const roomId = await openRoom(alice);
      const socket = await open(bob);
      assert.equal(await socket.refusal(CLIENT_FRAMES.joinRoom, { roomId }), 'not_a_member');
      assert.equal(await socket.refusal(CLIENT_FRAMES.sendMessage, { roomId, message: 'x' }), 'not_a_member');
      assert.equal(await socket.refusal(CLIENT_FRAMES.typing, { roomId }), 'not_a_member');
      await getWay().rest.join(bob.token, roomId);
      await socket.ask(CLIENT_FRAMES.joinRoom, { roomId });
      await socket.close();
    });

    it('a repeated command gets the first answer, and nobody sees the message twice', async () => {
      const alice = newUser(getWay(), 'alice');
      const roomId = await openRoom(alice);
      const socket = await open(alice);
      await socket.ask(CLIENT_FRAMES.joinRoom, { roomId });
      const frame = { roomId, message: 'once', commandId: `command-${alice.userId}` };
      const first = await socket.ask(CLIENT_FRAMES.sendMessage, frame);
      assert.deepEqual(await socket.ask(CLIENT_FRAMES.sendMessage, frame), first);
      const byRest = await getWay().rest.send(alice.token, roomId, 'once', { commandId: frame.commandId });
      assert.equal(byRest.position, first.position);
      await socket.ask(CLIENT_FRAMES.sendMessage, { roomId, message: 'after' });
      await socket.next<MessageView>(SERVER_FRAMES.receiveMessage, ({ message }) => message === 'after');
      assert.equal(socket.all(SERVER_FRAMES.receiveMessage).length, 2);
      await socket.close();
    });

    it('a token is taken from the header, from the subprotocol, or from the first frame', async () => {
      const alice = newUser(getWay(), 'alice');
      const roomId = await openRoom(alice);
      const { WebSocket } = await import('ws');
      const { ChatSocket } = await import('../support/chat-socket.ts');
      const byProtocol = new ChatSocket(new WebSocket(getWay().socketUrl, alice.token));
      await byProtocol.next(SERVER_FRAMES.ready);
      await byProtocol.ask(CLIENT_FRAMES.joinRoom, { roomId });
      const byFrame = await openSocket(getWay().socketUrl);
      await byFrame.ask(CLIENT_FRAMES.auth, { token: alice.token });
      await byFrame.ask(CLIENT_FRAMES.joinRoom, { roomId });
      await byProtocol.close();
      await byFrame.close();
    });

    it('a socket without a token is closed after five seconds, one with a wrong token at once', async () => {
      const silent = await openSocket(getWay().socketUrl);
      const wrong = await openSocket(getWay().socketUrl);
      wrong.emit(CLIENT_FRAMES.auth, { token: 'wrong' });
      assert.equal((await wrong.closed()).code, CLOSE_CODES.tokenInvalid.code);
      assert.equal((await silent.closed()).code, CLOSE_CODES.authenticationTimeout.code);
    });

    it('a socket whose token runs out is closed', async () => {
      const { secret, socketUrl } = getWay();
      const socket = await openSocket(socketUrl, signToken({ userId: 'brief' }, secret, 2));
      assert.equal((await socket.closed()).code, CLOSE_CODES.tokenExpired.code);
    });
  });
}
