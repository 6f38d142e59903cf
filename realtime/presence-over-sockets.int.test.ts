// What clients see of who is present in a room, small and large.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { LIMITS } from '../schemas/limits.ts';
import type { PresentUser } from '../schemas/presence.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { type ChatSocket, openSocket } from '../tests/e2e/support/chat-socket.ts';
import { openRealtimeWorld, type RealtimeNode, type RealtimeWorld } from '../tests/support/realtime-world.ts';

type Presence = { count: number; large: boolean; members?: PresentUser[]; joined: PresentUser[]; left: PresentUser[] };

const ids = (users: PresentUser[] | undefined): string[] => (users ?? []).map(({ userId }) => userId).sort();

describe('presence over sockets', () => {
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

  async function joined(userId: string, roomId: string, at: RealtimeNode = node): Promise<ChatSocket> {
    const socket = await openSocket(at.url, world.token(userId));
    sockets.push(socket);
    await socket.ask(CLIENT_FRAMES.joinRoom, { roomId });
    return socket;
  }

  it('RT-61 who joins learns who is there, the others who came and went, on every node, and who leaves nothing more', async () => {
    const other = await world.openNode();
    const roomId = await world.room('ada', 'bob', 'cy');
    const ada = await joined('ada', roomId);
    assert.deepEqual(ids((await ada.next<Presence>(SERVER_FRAMES.presence)).members), ['ada']);
    const bob = await joined('bob', roomId, other);
    assert.deepEqual(ids((await bob.next<Presence>(SERVER_FRAMES.presence)).members), ['ada', 'bob']);
    const came = await ada.next<Presence>(SERVER_FRAMES.presence);
    const theBob = { userId: 'bob', username: 'the bob' };
    assert.deepEqual(came, { roomId, count: 2, large: false, joined: [theBob], left: [] });
    await ada.ask(CLIENT_FRAMES.joinRoom, { roomId, after: 1 });
    assert.deepEqual(ids((await ada.next<Presence>(SERVER_FRAMES.presence)).members), ['ada', 'bob']);
    await world.act('bob', { type: 'LeaveRoom', roomId });
    const went = await ada.next<Presence>(SERVER_FRAMES.presence);
    assert.deepEqual(went, { roomId, count: 1, large: false, joined: [], left: [theBob] });
    await joined('cy', roomId);
    await ada.next<Presence>(SERVER_FRAMES.presence, ({ joined: who }) => ids(who).join() === 'cy');
    assert.equal(bob.all(SERVER_FRAMES.presence).length, 1);
    assert.equal(bob.all(SERVER_FRAMES.userJoined).length, 0);
  });

  it('RT-62 a storm into one room costs few frames a socket', async () => {
    const many = Array.from({ length: LIMITS.presenceNames + 100 }, (_, index) => `u${index}`);
    const roomId = await world.room('ada', ...many);
    const ada = await joined('ada', roomId);
    const crowd = await Promise.all(many.map((userId) => joined(userId, roomId)));
    const isAll = ({ count, large }: Presence): boolean => large && count === many.length + 1;
    for (const socket of [ada, ...crowd]) await socket.next<Presence>(SERVER_FRAMES.presence, isAll);
    const frames = [ada, ...crowd].map((socket) => socket.all(SERVER_FRAMES.userJoined).length);
    assert.ok(Math.max(...frames) < LIMITS.presenceNames, 'names are told up to a bound');
    // The bound of all of them together is that of the first hundred, however many come after.
    const total = frames.reduce((sum, count) => sum + count, 0);
    assert.ok(total <= (LIMITS.presenceNames * LIMITS.presenceNames) / 2, `${total} frames`);
    for (const socket of crowd.slice(0, -10)) socket.socket.terminate();
    await ada.next<Presence>(SERVER_FRAMES.presence, ({ members }) => members?.length === 11);
    const left = ada.all(SERVER_FRAMES.userLeft).length;
    assert.ok(left <= LIMITS.presenceNames / 2, `${left} frames`);
  });
});
