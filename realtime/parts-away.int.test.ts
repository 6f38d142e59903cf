// What sockets see of a node that loses history (PostgreSQL), or is started while history and the log are away.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { openCodec } from '../event-log/codec/codec.ts';
import { folderSchemas } from '../event-log/codec/folder-schemas.ts';
import type { ConnectionFaults } from '../event-log/event-log-contract.ts';
import { openMemoryEventLog } from '../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../event-log/memory/memory-store.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { type ChatSocket, openSocket } from '../tests/e2e/support/chat-socket.ts';
import { type RealtimeNode, RealtimeWorld } from '../tests/support/realtime-world.ts';
import { BOUNDS } from './bounds.ts';

describe('a socket node while parts are away', () => {
  let store: MemoryStore;
  let world: RealtimeWorld;
  let node: RealtimeNode;
  let faults: ConnectionFaults;
  const sockets: ChatSocket[] = [];

  beforeEach(async () => {
    store = new MemoryStore(2);
    world = new RealtimeWorld(openMemoryEventLog(store).log, await openCodec(folderSchemas()), {});
    node = await openNode();
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.socket.terminate();
    await world.close();
  });

  /** A node whose connection to the log can be broken. */
  async function openNode(): Promise<RealtimeNode> {
    const own = openMemoryEventLog(store);
    faults = own.faults;
    return await world.openNode({ eventLog: own.log });
  }

  async function connect(userId: string): Promise<ChatSocket> {
    const socket = await openSocket(node.url, world.token(userId));
    sockets.push(socket);
    await socket.next(SERVER_FRAMES.ready);
    return socket;
  }

  async function joined(userId: string, roomId: string): Promise<ChatSocket> {
    const socket = await connect(userId);
    await socket.ask(CLIENT_FRAMES.joinRoom, { roomId });
    return socket;
  }

  const texts = (socket: ChatSocket): string[] =>
    socket.all<{ message: string }>(SERVER_FRAMES.receiveMessage).map(({ message }) => message);

  it('RT-29 a room of a partition that is not followed is refused while checkpoints cannot be read, and nothing is kept', async () => {
    const roomId = await world.roomIn(1, 'ada', 'bob');
    const bob = await connect('bob');
    world.history.goAway();
    assert.equal(await bob.refusal(CLIENT_FRAMES.joinRoom, { roomId }), 'unavailable');
    assert.deepEqual(
      [await node.metric('roomlog_realtime_partitions'), await node.metric('roomlog_realtime_rooms')],
      [0, 0],
    );
    world.history.comeBack();
    await bob.ask(CLIENT_FRAMES.joinRoom, { roomId });
    assert.deepEqual(
      [await node.metric('roomlog_realtime_partitions'), await node.metric('roomlog_realtime_rooms')],
      [1, 1],
    );
    await world.say('ada', roomId, 'hello');
    await bob.next(SERVER_FRAMES.receiveMessage);
  });

  it('RT-31 while history is away rooms that are here stay, are joined and go on; others are refused for now', async () => {
    const [roomId, other] = [await world.roomIn(0, 'ada', 'bob'), await world.roomIn(0, 'ada', 'bob')];
    const bob = await joined('bob', roomId);
    world.history.goAway();
    await world.say('ada', roomId, 'one');
    const ada = await joined('ada', roomId);
    await world.say('ada', roomId, 'two');
    for (const socket of [ada, bob])
      await socket.next(SERVER_FRAMES.receiveMessage, ({ message }) => message === 'two');
    assert.deepEqual([texts(bob), texts(ada)], [['one', 'two'], ['two']]);
    assert.equal(await ada.refusal(CLIENT_FRAMES.joinRoom, { roomId: other }), 'unavailable');
    // From the ring, which reaches back to when the room was loaded; what is older only history has.
    await (await connect('bob')).ask(CLIENT_FRAMES.joinRoom, { roomId, after: 2 });
    assert.equal(await (await connect('bob')).refusal(CLIENT_FRAMES.joinRoom, { roomId, after: 0 }), 'unavailable');
    assert.deepEqual(
      [await node.metric('roomlog_realtime_partitions'), await node.metric('roomlog_realtime_rooms')],
      [1, 1],
    );
    world.history.comeBack();
    await ada.ask(CLIENT_FRAMES.joinRoom, { roomId: other });
    await (await connect('bob')).ask(CLIENT_FRAMES.joinRoom, { roomId, after: 0 });
    await world.say('ada', roomId, 'three');
    await bob.next(SERVER_FRAMES.receiveMessage, ({ message }) => message === 'three');
    assert.deepEqual(texts(bob), ['one', 'two', 'three']);
  });

  it('RT-31 sockets that come and go while history and the log are away leave nothing behind', async () => {
    const roomIds = await Promise.all([0, 1, 0, 1].map((partition) => world.roomIn(partition, 'ada', 'bob')));
    const [stays = ''] = roomIds;
    const bob = await joined('bob', stays);
    world.history.goAway();
    await faults.refuse();
    for (const roomId of roomIds.slice(1)) {
      const ada = await connect('ada');
      assert.equal(await ada.refusal(CLIENT_FRAMES.joinRoom, { roomId }), 'unavailable');
      await ada.close();
    }
    await world.say('ada', stays, 'while away');
    world.pass(BOUNDS.emptyRoomMs + 1_000);
    assert.deepEqual(
      [await node.metric('roomlog_realtime_partitions'), await node.metric('roomlog_realtime_rooms')],
      [1, 1],
    );
    await faults.accept();
    world.history.comeBack();
    await bob.next(SERVER_FRAMES.receiveMessage, ({ message }) => message === 'while away');
    for (const roomId of roomIds) await (await connect('ada')).ask(CLIENT_FRAMES.joinRoom, { roomId });
    assert.deepEqual(
      [await node.metric('roomlog_realtime_partitions'), await node.metric('roomlog_realtime_rooms')],
      [2, 4],
    );
  });

  it('RT-32 a node starts without history and without the log, says so, and works when they come', async () => {
    const roomId = await world.roomIn(0, 'ada', 'bob');
    await node.stop();
    world.history.goAway();
    node = await openNode();
    await faults.refuse();
    const away = await fetch(`${node.httpUrl}/ready`);
    assert.equal(away.status, 503);
    const { checks } = (await away.json()) as { checks: Record<string, { ok: boolean }> };
    assert.deepEqual([checks.log?.ok, checks.history?.ok], [false, false]);
    const bob = await connect('bob');
    assert.equal(await bob.refusal(CLIENT_FRAMES.joinRoom, { roomId }), 'unavailable');
    await faults.accept();
    world.history.comeBack();
    assert.equal((await fetch(`${node.httpUrl}/ready`)).status, 200);
    await bob.ask(CLIENT_FRAMES.joinRoom, { roomId });
    await world.say('ada', roomId, 'hello');
    await bob.next(SERVER_FRAMES.receiveMessage);
  });
});
