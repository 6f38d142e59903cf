// What clients of the bare WebSocket see of rooms: joining, live frames, resuming, access, presence, typing.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { holds } from '../platform/pub-sub-contract.ts';
import { LIMITS } from '../schemas/limits.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { type ChatSocket, openSocket } from '../tests/e2e/support/chat-socket.ts';
import { openRealtimeWorld, type RealtimeNode, type RealtimeWorld } from '../tests/support/realtime-world.ts';

type Said = { message: string; version: number };
type Recent = { roomId: string; messages: Said[]; version: number };

describe('rooms over sockets', () => {
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

  async function connect(userId: string, at: RealtimeNode = node): Promise<ChatSocket> {
    const socket = await openSocket(at.url, world.token(userId));
    sockets.push(socket);
    await socket.next(SERVER_FRAMES.ready);
    return socket;
  }

  async function joined(userId: string, roomId: string, at: RealtimeNode = node): Promise<ChatSocket> {
    const socket = await connect(userId, at);
    await socket.ask(CLIENT_FRAMES.joinRoom, { roomId });
    return socket;
  }

  const versions = (socket: ChatSocket): number[] =>
    socket.frames
      .filter(({ event }) => event !== SERVER_FRAMES.recentMessages && event !== SERVER_FRAMES.heartbeat)
      .map(({ data }) => (data as { version?: number }).version)
      .filter((version) => version !== undefined);

  it('RT-5 a member who joins gets the newest messages, then the answer, then what happens', async () => {
    const roomId = await world.room('ada', 'bob');
    for (let index = 1; index <= 60; index++) await world.say('ada', roomId, `m${index}`);
    const bob = await connect('bob');
    const answer = await bob.ask(CLIENT_FRAMES.joinRoom, { roomId });
    assert.deepEqual(answer, { roomId, version: 62 });
    const recent = await bob.next<Recent>(SERVER_FRAMES.recentMessages);
    assert.equal(recent.version, 62);
    assert.deepEqual(
      recent.messages.map(({ message }) => message),
      Array.from({ length: LIMITS.pageMessages }, (_, index) => `m${index + 11}`),
    );
    await world.say('ada', roomId, 'live');
    const live = await bob.next<Said>(SERVER_FRAMES.receiveMessage);
    assert.deepEqual([live.message, live.version], ['live', 63]);
    assert.deepEqual(versions(bob), [63]);
  });

  it('RT-6 somebody who is no member is refused, and let in as soon as the log says so', async () => {
    const roomId = await world.room('ada');
    const ada = await joined('ada', roomId);
    const eve = await connect('eve');
    assert.equal(await eve.refusal(CLIENT_FRAMES.joinRoom, { roomId }), 'not_a_member');
    assert.equal(await eve.refusal(CLIENT_FRAMES.joinRoom, { roomId: 'nowhere' }), 'room_not_found');
    world.history.hold();
    await world.act('eve', { type: 'JoinRoom', roomId });
    await eve.ask(CLIENT_FRAMES.joinRoom, { roomId });
    await ada.next(SERVER_FRAMES.memberJoined, ({ userId }) => userId === 'eve');
  });

  it('RT-6 a room that was created a moment ago is found although history does not have it yet', async () => {
    world.history.hold();
    const roomId = await world.room('ada');
    const ada = await connect('ada');
    const answer = ada.ask(CLIENT_FRAMES.joinRoom, { roomId });
    await holds(() => world.history.asked.roomSnapshot >= 2);
    world.history.release();
    assert.deepEqual(await answer, { roomId, version: 1 });
  });

  it('RT-7 joining under load leaves no gap and repeats nothing', async () => {
    const roomId = await world.room('ada', 'bob');
    const total = 400;
    const saying = (async () => {
      for (let index = 0; index < total; index++) await world.say('ada', roomId, `m${index}`);
    })();
    const listeners = await Promise.all(Array.from({ length: 20 }, () => joined('bob', roomId)));
    await saying;
    for (const listener of listeners) {
      const recent = await listener.next<Recent>(SERVER_FRAMES.recentMessages);
      if (recent.version < total + 2)
        await listener.next(SERVER_FRAMES.receiveMessage, ({ version }) => version === total + 2);
      const expected = Array.from({ length: total + 2 - recent.version }, (_, index) => recent.version + 1 + index);
      assert.deepEqual(versions(listener), expected);
      assert.deepEqual(
        recent.messages.map(({ version }) => version),
        Array.from(
          { length: recent.messages.length },
          (_, index) => recent.version - recent.messages.length + 1 + index,
        ),
      );
    }
  });

  it('RT-8 resuming gives exactly the missed events, also those that only history has', async () => {
    const roomId = await world.room('ada', 'bob');
    for (let index = 0; index < 1_200; index++) await world.say('ada', roomId, `m${index}`);
    await joined('ada', roomId);
    for (let index = 0; index < 5; index++) await world.say('ada', roomId, `late${index}`);
    for (const after of [0, 1, 700, 1_203, 1_207]) {
      const bob = await connect('bob');
      const { version } = await bob.ask<{ version: number }>(CLIENT_FRAMES.joinRoom, { roomId, after });
      assert.equal(version, 1_207);
      assert.deepEqual(
        versions(bob),
        Array.from({ length: version - after }, (_, index) => after + 1 + index),
      );
      assert.equal(bob.all(SERVER_FRAMES.recentMessages).length, 0);
    }
    const bob = await connect('bob');
    assert.equal(await bob.refusal(CLIENT_FRAMES.joinRoom, { roomId, after: 1_208 }), 'version_ahead');
    assert.equal(await bob.refusal(CLIENT_FRAMES.joinRoom, { roomId, after: -1 }), 'invalid_request');
  });

  it('RT-9 joining again answers again and delivers nothing twice', async () => {
    const roomId = await world.room('ada', 'bob');
    const bob = await joined('bob', roomId);
    await world.say('ada', roomId, 'one');
    await bob.next(SERVER_FRAMES.receiveMessage);
    await bob.ask(CLIENT_FRAMES.joinRoom, { roomId });
    assert.equal(bob.all(SERVER_FRAMES.recentMessages).length, 2);
    await bob.ask(CLIENT_FRAMES.joinRoom, { roomId, after: 2 });
    await world.say('ada', roomId, 'two');
    await bob.next<Said>(SERVER_FRAMES.receiveMessage, ({ message }) => message === 'two');
    assert.deepEqual(versions(bob), [3, 3, 4]);
  });

  it('RT-10 after MemberLeft the member gets that frame and nothing more; other rooms go on', async () => {
    const [roomId, otherId] = [await world.room('ada', 'bob'), await world.room('ada', 'bob')];
    const bob = await joined('bob', roomId);
    await bob.ask(CLIENT_FRAMES.joinRoom, { roomId: otherId });
    await world.say('ada', roomId, 'before');
    await Promise.all([
      world.act('bob', { type: 'LeaveRoom', roomId }),
      world.say('ada', roomId, 'secret one'),
      world.say('ada', roomId, 'secret two'),
    ]);
    await world.say('ada', otherId, 'elsewhere');
    await bob.next<Said>(SERVER_FRAMES.receiveMessage, ({ message }) => message === 'elsewhere');
    const texts = bob.all<Said>(SERVER_FRAMES.receiveMessage).map(({ message }) => message);
    assert.deepEqual(texts, ['before', 'elsewhere']);
    assert.equal(bob.all(SERVER_FRAMES.memberLeft).length, 1);
    assert.equal(await bob.refusal(CLIENT_FRAMES.joinRoom, { roomId }), 'not_a_member');
  });

  it('RT-11 the others learn when a member comes with the first socket and goes with the last, on any node', async () => {
    const other = await world.openNode();
    const roomId = await world.room('ada', 'bob');
    const ada = await joined('ada', roomId);
    const first = await joined('bob', roomId);
    assert.deepEqual(await ada.next(SERVER_FRAMES.userJoined), { roomId, userId: 'bob', username: 'the bob' });
    const second = await joined('bob', roomId, other);
    await first.close();
    const adaToo = await joined('ada', roomId, other);
    await second.ask(CLIENT_FRAMES.leaveRoom, { roomId });
    assert.deepEqual(await ada.next(SERVER_FRAMES.userLeft), { roomId, userId: 'bob', username: 'the bob' });
    await adaToo.next(SERVER_FRAMES.userLeft);
    assert.equal(ada.all(SERVER_FRAMES.userJoined).length, 1);
    assert.equal(ada.all(SERVER_FRAMES.userLeft).length, 1);
    assert.equal(first.all(SERVER_FRAMES.userJoined).length, 0);
  });

  it('RT-12 typing reaches the others and expires unless it is repeated; stop-typing ends it', async () => {
    const other = await world.openNode();
    const roomId = await world.room('ada', 'bob');
    const [ada, bob, adaElsewhere] = [
      await joined('ada', roomId),
      await joined('bob', roomId),
      await joined('ada', roomId, other),
    ];
    await bob.ask(CLIENT_FRAMES.typing, { roomId });
    await bob.ask(CLIENT_FRAMES.typing, { roomId });
    const mark = { roomId, userId: 'bob', username: 'the bob' };
    assert.deepEqual(await ada.next(SERVER_FRAMES.typing), mark);
    assert.deepEqual(await adaElsewhere.next(SERVER_FRAMES.typing), mark);
    world.pass(LIMITS.typingMs);
    assert.deepEqual(await ada.next(SERVER_FRAMES.stopTyping), mark);
    assert.deepEqual(await adaElsewhere.next(SERVER_FRAMES.stopTyping), mark);
    await bob.ask(CLIENT_FRAMES.typing, { roomId });
    await ada.next(SERVER_FRAMES.typing);
    await bob.ask(CLIENT_FRAMES.stopTyping, { roomId });
    await ada.next(SERVER_FRAMES.stopTyping);
    assert.equal(ada.all(SERVER_FRAMES.typing).length, 2);
    assert.equal(bob.all(SERVER_FRAMES.typing).length, 0);
    const eve = await connect('eve');
    assert.equal(await eve.refusal(CLIENT_FRAMES.typing, { roomId }), 'not_a_member');
  });

  it('RT-12 somebody who goes while typing stops typing', async () => {
    const roomId = await world.room('ada', 'bob');
    const [ada, bob] = [await joined('ada', roomId), await joined('bob', roomId)];
    await bob.ask(CLIENT_FRAMES.typing, { roomId });
    await ada.next(SERVER_FRAMES.typing);
    bob.socket.terminate();
    await ada.next(SERVER_FRAMES.stopTyping);
    await ada.next(SERVER_FRAMES.userLeft);
  });

  it('RT-6 a room whose history is behind the log for too long is refused for now', async () => {
    world.history.hold();
    const roomId = await world.room('ada');
    const ada = await connect('ada');
    const refusal = ada.refusal(CLIENT_FRAMES.joinRoom, { roomId });
    await holds(() => world.history.asked.checkpoints > 2);
    world.pass(6_000);
    assert.equal(await refusal, 'projection_behind');
    world.history.release();
    await ada.ask(CLIENT_FRAMES.joinRoom, { roomId });
  });
});
