// Nodes that know of each other through Redis only: what they share, what they make of a Redis that begins anew, and of a node
// that is killed.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { systemClock } from '../platform/clock.ts';
import { PresenceReader } from '../read-api/presence-reader.ts';
import type { PresentUser } from '../schemas/presence.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { type ChatSocket, openSocket } from '../tests/e2e/support/chat-socket.ts';
import { type OwnRedis, startOwnRedis } from '../tests/support/own-redis.ts';
import type { RealtimeNodeArgument } from '../tests/support/realtime-node-process.ts';
import { openRealtimeWorld, type RealtimeNode, type RealtimeWorld } from '../tests/support/realtime-world.ts';
import { openRedisSharing, type RedisSharing } from '../tests/support/redis-sharing.ts';

type Presence = { count: number; members?: PresentUser[]; joined: PresentUser[]; left: PresentUser[] };

const NODE_PROCESS = fileURLToPath(new URL('../tests/support/realtime-node-process.ts', import.meta.url));

describe('nodes on Redis', () => {
  const prefix = `test:${randomUUID()}:`;
  const sharings: RedisSharing[] = [];
  const sockets: ChatSocket[] = [];
  const children: ChildProcess[] = [];
  let redis: OwnRedis;
  let world: RealtimeWorld;
  let presence: PresenceReader;

  beforeEach(async () => {
    redis = await startOwnRedis();
    world = await openRealtimeWorld();
    presence = new PresenceReader({ sets: (await share()).sets, clock: systemClock });
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.socket.terminate();
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await world.close();
    for (const sharing of sharings.splice(0)) sharing.close();
    await redis.stop();
  });

  async function share(): Promise<RedisSharing> {
    const sharing = await openRedisSharing({ host: '127.0.0.1', port: redis.port }, prefix);
    sharings.push(sharing);
    return sharing;
  }

  async function openNode(): Promise<RealtimeNode> {
    return await world.openNode(await share());
  }

  async function spawnNode(
    argument: Omit<RealtimeNodeArgument, 'port' | 'prefix'>,
  ): Promise<{ url: string; child: ChildProcess }> {
    const full: RealtimeNodeArgument = { ...argument, prefix, port: redis.port };
    const child = spawn(process.execPath, [NODE_PROCESS, JSON.stringify(full)], { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    const [url] = (await once(createInterface(child.stdout), 'line')) as [string];
    return { url, child };
  }

  async function joined(userId: string, roomId: string, at: { url: string }): Promise<ChatSocket> {
    const socket = await openSocket(at.url, world.token(userId));
    sockets.push(socket);
    await socket.ask(CLIENT_FRAMES.joinRoom, { roomId });
    return socket;
  }

  /** Resolves once the read side says that exactly these are present. */
  async function untilPresent(roomId: string, ...userIds: string[]): Promise<void> {
    for (;;) {
      const found = await presence.page(roomId, '', 100).catch(() => null);
      if (found?.members.map(({ userId }) => userId).join() === userIds.join()) return;
      await pause(50);
    }
  }

  /** What the client knows from its presence frames. */
  function known(socket: ChatSocket): string {
    const users = new Set<string>();
    for (const { members, joined: came, left } of socket.all<Presence>(SERVER_FRAMES.presence)) {
      if (members) users.clear();
      for (const { userId } of [...(members ?? []), ...came]) users.add(userId);
      for (const { userId } of left) users.delete(userId);
    }
    return [...users].sort().join();
  }

  async function untilKnown(socket: ChatSocket, ...userIds: string[]): Promise<void> {
    while (known(socket) !== userIds.join()) await socket.next(SERVER_FRAMES.presence);
  }

  it('RT-11 RT-12 RT-61 share who is there and who is typing', async () => {
    const [one, two] = [await openNode(), await openNode()];
    const roomId = await world.room('ada', 'bob');
    const ada = await joined('ada', roomId, one);
    const bob = await joined('bob', roomId, two);
    await ada.next(SERVER_FRAMES.userJoined, ({ userId }) => userId === 'bob');
    await untilKnown(ada, 'ada', 'bob');
    await untilKnown(bob, 'ada', 'bob');
    await untilPresent(roomId, 'ada', 'bob');
    await bob.ask(CLIENT_FRAMES.typing, { roomId });
    await ada.next(SERVER_FRAMES.typing, ({ userId }) => userId === 'bob');
    await bob.close();
    await ada.next(SERVER_FRAMES.stopTyping);
    await ada.next(SERVER_FRAMES.userLeft, ({ userId }) => userId === 'bob');
    await untilKnown(ada, 'ada');
    await untilPresent(roomId, 'ada');
  });

  it('RT-64 after a restart of Redis presence and typing are right again within 10 s, and nobody went meanwhile', async () => {
    const [one, two] = [await openNode(), await openNode()];
    const roomId = await world.room('ada', 'bob', 'cy', 'dan');
    const ada = await joined('ada', roomId, one);
    const bob = await joined('bob', roomId, two);
    const cy = await joined('cy', roomId, two);
    await untilKnown(ada, 'ada', 'bob', 'cy');
    await redis.kill();
    await cy.close();
    await joined('dan', roomId, two);
    await redis.start();
    const deadline = AbortSignal.timeout(10_000);
    await Promise.all([untilPresent(roomId, 'ada', 'bob', 'dan'), untilKnown(ada, 'ada', 'bob', 'dan')]);
    await untilKnown(bob, 'ada', 'bob', 'dan');
    while (ada.all(SERVER_FRAMES.typing).length === 0) {
      await bob.ask(CLIENT_FRAMES.stopTyping, { roomId });
      await bob.ask(CLIENT_FRAMES.typing, { roomId });
      await pause(100);
    }
    assert.ok(!deadline.aborted, 'all of it within 10 s');
    const gone = [ada, bob].flatMap((socket) => socket.all<PresentUser>(SERVER_FRAMES.userLeft));
    assert.deepEqual([...new Set(gone.map(({ userId }) => userId))], ['cy']);
  });

  it('RT-65 the users of a node process that is killed are gone from frames, counts and answers within 10 s', async () => {
    const one = await openNode();
    const roomId = await world.room('ada', 'bob', 'cy');
    const other = await spawnNode({ roomId, members: ['ada', 'bob', 'cy'] });
    const ada = await joined('ada', roomId, one);
    await joined('bob', roomId, other);
    await joined('cy', roomId, other);
    await joined('cy', roomId, one);
    await untilKnown(ada, 'ada', 'bob', 'cy');
    await untilPresent(roomId, 'ada', 'bob', 'cy');
    other.child.kill('SIGKILL');
    const deadline = AbortSignal.timeout(10_000);
    await Promise.all([
      ada.next(SERVER_FRAMES.userLeft, ({ userId }) => userId === 'bob'),
      untilKnown(ada, 'ada', 'cy'),
      untilPresent(roomId, 'ada', 'cy'),
    ]);
    assert.ok(!deadline.aborted, 'all of it within 10 s');
    assert.deepEqual(
      ada.all<PresentUser>(SERVER_FRAMES.userLeft).map(({ userId }) => userId),
      ['bob'],
    );
  });
});
