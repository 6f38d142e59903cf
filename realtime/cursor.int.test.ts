// What clients see who come back with the version that they have: what they missed, whether that was all, and what it costs.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { LIMITS } from '../schemas/limits.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { type ChatSocket, openSocket } from '../tests/e2e/support/chat-socket.ts';
import { openRealtimeWorld, type RealtimeNode, type RealtimeWorld } from '../tests/support/realtime-world.ts';
import { BOUNDS } from './bounds.ts';

type Answer = { roomId: string; version: number; recovered?: boolean };
type Recent = { messages: { version: number }[]; version: number };

describe('coming back with a version', () => {
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

  async function connect(userId: string): Promise<ChatSocket> {
    const socket = await openSocket(node.url, world.token(userId));
    sockets.push(socket);
    await socket.next(SERVER_FRAMES.ready);
    return socket;
  }

  async function resumed(userId: string, roomId: string, after: number): Promise<[ChatSocket, Answer]> {
    const socket = await connect(userId);
    return [socket, await socket.ask<Answer>(CLIENT_FRAMES.joinRoom, { roomId, after })];
  }

  async function restart(): Promise<void> {
    await node.stop();
    node = await world.openNode();
  }

  async function hasHistory(roomId: string, version: number): Promise<void> {
    while ((await world.history.roomSnapshot(roomId))?.version !== version) await new Promise(setImmediate);
  }

  /** A room in which that many messages were said behind its first two events. */
  async function roomWith(messages: number): Promise<string> {
    const roomId = await world.room('ada', 'bob');
    for (let index = 0; index < messages; index++) await world.say('ada', roomId, `m${index}`);
    await hasHistory(roomId, messages + 2);
    return roomId;
  }

  /** Of all frames but heartbeats, which come when they like and repeat what was there. */
  const versions = (socket: ChatSocket): number[] =>
    socket.frames
      .filter(({ event }) => event !== SERVER_FRAMES.heartbeat)
      .map(({ data }) => (data as { version?: number }).version)
      .filter((version) => version !== undefined);
  const following = (after: number, upTo: number): number[] =>
    Array.from({ length: upTo - after }, (_, index) => after + 1 + index);

  it('RT-40 who missed thousands of events gets exactly those, and the answer says that it was all', async () => {
    const roomId = await roomWith(3_000);
    await restart();
    for (const after of [0, 255, 256, 257, 2_500, 2_951, 2_952, 3_001, 3_002]) {
      const [bob, answer] = await resumed('bob', roomId, after);
      assert.deepEqual(answer, { roomId, version: 3_002, recovered: true });
      assert.deepEqual(versions(bob), following(after, 3_002));
    }
  });

  it('RT-40 everything comes once while others speak, and what they say comes behind it', async () => {
    const roomId = await roomWith(1_500);
    await restart();
    const bob = await connect('bob');
    const answer = bob.ask<Answer>(CLIENT_FRAMES.joinRoom, { roomId, after: 0 });
    for (let index = 0; index < 200; index++) await world.say('ada', roomId, `live${index}`);
    await answer;
    await bob.next(SERVER_FRAMES.receiveMessage, ({ version }) => version === 1_702);
    assert.deepEqual(versions(bob), following(0, 1_702));
  });

  it('RT-41 a room that was only just loaded gives its newest messages without asking history again', async () => {
    const roomId = await roomWith(60);
    await restart();
    await resumed('ada', roomId, 62);
    world.history.asked.eventsAfter = 0;
    world.history.goAway();
    const [bob] = await resumed('bob', roomId, 62 - LIMITS.pageMessages);
    assert.deepEqual(versions(bob), following(62 - LIMITS.pageMessages, 62));
    assert.equal(world.history.asked.eventsAfter, 0);
    const refused = await connect('bob');
    assert.equal(await refused.refusal(CLIENT_FRAMES.joinRoom, { roomId, after: 11 }), 'unavailable');
  });

  it('RT-52 however many sockets come back at once, history is read a few times a room', async () => {
    const roomId = await roomWith(700);
    // Not only messages: then the newest ones that the room is loaded with do not reach back over it.
    await world.act('eve', { type: 'JoinRoom', roomId });
    await hasHistory(roomId, 703);
    await restart();
    const { asked } = world.history;
    Object.assign(asked, { roomSnapshot: 0, eventsAfter: 0, checkpoints: 0 });
    // Behind by fifty, by several hundred, and by everything.
    const behind = Array.from({ length: 300 }, (_, index) => [50, 400, 703][index % 3] ?? 0);
    const came = await Promise.all(behind.map((missed) => resumed('bob', roomId, 703 - missed)));
    for (const [at, [bob, answer]] of came.entries()) {
      assert.deepEqual(answer, { roomId, version: 703, recovered: true });
      assert.deepEqual(versions(bob), following(703 - (behind[at] ?? 0), 703));
    }
    assert.equal(asked.roomSnapshot, 1);
    assert.equal(asked.checkpoints, 1);
    assert.ok(asked.eventsAfter <= Math.ceil(703 / BOUNDS.blockEvents), `${asked.eventsAfter} reads`);
  }).timeout(30_000);

  it('RT-45 with reset a client that is far behind gets the newest messages, and is told that it has not all', async () => {
    const roomId = await roomWith(LIMITS.resetAfter + 1);
    const version = LIMITS.resetAfter + 3;
    const bob = await connect('bob');
    assert.deepEqual(await bob.ask(CLIENT_FRAMES.joinRoom, { roomId, after: 2, reset: true }), {
      roomId,
      version,
      recovered: false,
    });
    const recent = await bob.next<Recent>(SERVER_FRAMES.recentMessages);
    assert.equal(recent.version, version);
    assert.equal(recent.messages.length, LIMITS.pageMessages);
    assert.equal(bob.all(SERVER_FRAMES.receiveMessage).length, 0);
    await world.say('ada', roomId, 'live');
    await bob.next(SERVER_FRAMES.receiveMessage, (message) => message.version === version + 1);

    const near = await connect('bob');
    const answer = await near.ask(CLIENT_FRAMES.joinRoom, {
      roomId,
      after: version + 1 - LIMITS.resetAfter,
      reset: true,
    });
    assert.deepEqual(answer, { roomId, version: version + 1, recovered: true });
    assert.deepEqual(versions(near), following(version + 1 - LIMITS.resetAfter, version + 1));

    const [all, everything] = await resumed('bob', roomId, 0);
    assert.equal(everything.recovered, true);
    assert.deepEqual(versions(all), following(0, version + 1));
  });

  it('RT-45 with reset a client that is ahead of the room gets its newest messages', async () => {
    const roomId = await roomWith(1);
    const bob = await connect('bob');
    assert.equal(await bob.refusal(CLIENT_FRAMES.joinRoom, { roomId, after: 4 }), 'version_ahead');
    assert.deepEqual(await bob.ask(CLIENT_FRAMES.joinRoom, { roomId, after: 4, reset: true }), {
      roomId,
      version: 3,
      recovered: false,
    });
    assert.equal((await bob.next<Recent>(SERVER_FRAMES.recentMessages)).version, 3);
  });

  it('RT-46 recovered is in the answer when the client said what it has, and only then', async () => {
    const roomId = await roomWith(1);
    const bob = await connect('bob');
    assert.deepEqual(await bob.ask(CLIENT_FRAMES.joinRoom, { roomId }), { roomId, version: 3 });
    assert.deepEqual(await bob.ask(CLIENT_FRAMES.joinRoom, { roomId, reset: true }), { roomId, version: 3 });
    for (const more of [{}, { reset: false }, { reset: true }]) {
      const answer = await bob.ask(CLIENT_FRAMES.joinRoom, { roomId, after: 3, ...more });
      assert.deepEqual(answer, { roomId, version: 3, recovered: true });
    }
  });

  it('RT-50 a version that is none is invalid_request, one that the room has not is version_ahead; neither changes anything', async () => {
    const roomId = await roomWith(1);
    const bob = await connect('bob');
    await bob.ask(CLIENT_FRAMES.joinRoom, { roomId });
    for (const after of [-1, 1.5, 2 ** 53, 1e300, '2', null, true, [2], {}])
      assert.equal(await bob.refusal(CLIENT_FRAMES.joinRoom, { roomId, after }), 'invalid_request', String(after));
    assert.equal(await bob.refusal(CLIENT_FRAMES.joinRoom, { roomId, after: 2, reset: 'yes' }), 'invalid_request');
    for (const after of [4, 2 ** 53 - 1])
      assert.equal(await bob.refusal(CLIENT_FRAMES.joinRoom, { roomId, after }), 'version_ahead');
    await world.say('ada', roomId, 'live');
    await bob.next(SERVER_FRAMES.receiveMessage);
    assert.deepEqual(versions(bob), [3, 4]);
  });

  it('RT-50 joining again goes on after the version that was said last, be it lower or higher', async () => {
    const roomId = await roomWith(4);
    const [bob] = await resumed('bob', roomId, 4);
    for (const [after, sent] of [
      [2, [3, 4, 5, 6]],
      [5, [6]],
      [6, []],
      [0, [1, 2, 3, 4, 5, 6]],
    ] as const) {
      bob.frames.length = 0;
      assert.deepEqual(await bob.ask(CLIENT_FRAMES.joinRoom, { roomId, after }), {
        roomId,
        version: 6,
        recovered: true,
      });
      assert.deepEqual(versions(bob), sent);
    }
    bob.frames.length = 0;
    await world.say('ada', roomId, 'live');
    await bob.next(SERVER_FRAMES.receiveMessage);
    assert.deepEqual(versions(bob), [7]);
  });

  it('RT-51 a member who left and came back meanwhile gets all of the room, also what was said in between', async () => {
    const roomId = await roomWith(1);
    await world.act('bob', { type: 'LeaveRoom', roomId });
    await world.say('ada', roomId, 'while bob was away');
    const away = await connect('bob');
    assert.equal(await away.refusal(CLIENT_FRAMES.joinRoom, { roomId, after: 3 }), 'not_a_member');
    assert.equal(await away.refusal(CLIENT_FRAMES.joinRoom, { roomId, after: 3, reset: true }), 'not_a_member');
    await world.act('bob', { type: 'JoinRoom', roomId });
    const [bob, answer] = await resumed('bob', roomId, 3);
    assert.deepEqual(answer, { roomId, version: 6, recovered: true });
    assert.deepEqual(
      bob.frames.slice(1).map(({ event }) => event),
      [SERVER_FRAMES.memberLeft, SERVER_FRAMES.receiveMessage, SERVER_FRAMES.memberJoined],
    );
  });

  it('RT-51 a room that was archived meanwhile gives what was missed, its end included', async () => {
    const roomId = await roomWith(1);
    await world.act('ada', { type: 'ArchiveRoom', roomId });
    const [bob, answer] = await resumed('bob', roomId, 2);
    assert.deepEqual(answer, { roomId, version: 4, recovered: true });
    assert.equal(bob.frames.at(-1)?.event, SERVER_FRAMES.roomArchived);
  });
});
