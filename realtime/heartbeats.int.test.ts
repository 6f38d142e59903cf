// What clients are told of how far their rooms are while nothing happens, and when they are told nothing.
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { openCodec } from '../event-log/codec/codec.ts';
import { folderSchemas } from '../event-log/codec/folder-schemas.ts';
import type { ConnectionFaults } from '../event-log/event-log-contract.ts';
import { openMemoryEventLog } from '../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../event-log/memory/memory-store.ts';
import { LIMITS } from '../schemas/limits.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { type ChatSocket, openSocket } from '../tests/e2e/support/chat-socket.ts';
import { openSocketIo } from '../tests/support/documented-socket-io.ts';
import { type RealtimeNode, RealtimeWorld } from '../tests/support/realtime-world.ts';
import { BOUNDS } from './bounds.ts';

type Heartbeat = { roomId: string; version: number };

const ROUND_SECONDS = BOUNDS.pingEveryMs / 1_000;

describe('heartbeats of rooms', () => {
  let world: RealtimeWorld;
  let node: RealtimeNode;
  let faults: ConnectionFaults;
  let bob: ChatSocket;

  beforeEach(async () => {
    const store = new MemoryStore(2);
    world = new RealtimeWorld(openMemoryEventLog(store).log, await openCodec(folderSchemas()), {});
    const own = openMemoryEventLog(store);
    faults = own.faults;
    node = await world.openNode({ eventLog: own.log });
    bob = await openSocket(node.url, world.token('bob'));
    await bob.next(SERVER_FRAMES.ready);
  });

  afterEach(async () => {
    bob.socket.terminate();
    await world.close();
  });

  /** Second by second, each of which ends when the node has heard what its sockets had to say to it. */
  async function seconds(count: number): Promise<void> {
    for (let passed = 0; passed < count; passed++) {
      world.pass(1_000);
      await bob.ask(CLIENT_FRAMES.leaveRoom, { roomId: 'nowhere' });
    }
  }

  const heartbeats = (): Heartbeat[] => bob.all<Heartbeat>(SERVER_FRAMES.heartbeat);

  it('RT-18 a socket that is not read, because much of it waits for its answer, is not dropped for silence', async () => {
    const busy = await world.openNode({ commands: { execute: () => new Promise(() => undefined) } });
    const socket = await openSocket(busy.url, world.token('op', { isOperator: true }));
    for (let n = 0; n <= LIMITS.framesInFlightPerSocket; n++) {
      void socket.answer(CLIENT_FRAMES.sendMessage, { roomId: 'r', message: `m${n}` }).catch(() => undefined);
    }
    while ((await busy.metric('roomlog_realtime_received_frames_total')) <= LIMITS.framesInFlightPerSocket)
      await turn();
    for (let round = 0; round < 4; round++) {
      world.pass(BOUNDS.pingEveryMs);
      await turn();
    }
    assert.equal(socket.socket.readyState, socket.socket.OPEN);
    assert.equal(await busy.metric('roomlog_realtime_sockets{transport="ws"}'), 1);
    socket.socket.terminate();
  });

  it('RT-47 each joined room tells its newest version once in 25 s, behind everything up to it', async () => {
    const [roomId, otherId] = [await world.roomIn(0, 'ada', 'bob'), await world.roomIn(1, 'ada', 'bob')];
    for (const room of [roomId, otherId]) await bob.ask(CLIENT_FRAMES.joinRoom, { roomId: room });
    await seconds(ROUND_SECONDS);
    const before = heartbeats().length;
    await world.say('ada', roomId, 'one more');
    await bob.next(SERVER_FRAMES.receiveMessage);
    await seconds(ROUND_SECONDS);
    const told = heartbeats().slice(before);
    assert.deepEqual(
      new Map(told.map((one) => [one.roomId, one.version])),
      new Map([
        [roomId, 3],
        [otherId, 2],
      ]),
    );
    assert.equal(told.length, 2);
    const order = bob.frames.map(({ event, data }) => `${event} ${(data as Heartbeat).version}`);
    assert.ok(order.indexOf(`${SERVER_FRAMES.receiveMessage} 3`) < order.indexOf(`${SERVER_FRAMES.heartbeat} 3`));
    await bob.ask(CLIENT_FRAMES.leaveRoom, { roomId });
    bob.frames.length = 0;
    await seconds(ROUND_SECONDS);
    assert.deepEqual(heartbeats(), [{ roomId: otherId, version: 2 }]);
  });

  it('RT-47 socket.io clients get them too', async () => {
    const roomId = await world.roomIn(0, 'ada', 'bob');
    const guest = openSocketIo(node.httpUrl, { transports: ['websocket'], auth: { token: world.token('ada') } });
    try {
      await guest.timeout(5_000).emitWithAck(CLIENT_FRAMES.joinRoom, roomId);
      const heard: Heartbeat[] = [];
      guest.on(SERVER_FRAMES.heartbeat, (heartbeat: Heartbeat) => heard.push(heartbeat));
      await seconds(2 * ROUND_SECONDS);
      await guest.timeout(5_000).emitWithAck(CLIENT_FRAMES.leaveRoom, roomId);
      assert.ok(heard.length === 1 || heard.length === 2, `${heard.length} in two rounds`);
      assert.deepEqual(heard[0], { roomId, version: 2 });
    } finally {
      guest.disconnect();
    }
  });

  it('RT-48 a node that cannot tell whether there is more in the log tells nothing, until it can again', async () => {
    const roomId = await world.roomIn(0, 'ada', 'bob');
    await bob.ask(CLIENT_FRAMES.joinRoom, { roomId });
    await seconds(2 * ROUND_SECONDS);
    assert.ok(heartbeats().length > 0);
    await faults.refuse();
    await world.say('ada', roomId, 'not heard here');
    await seconds(BOUNDS.headKnownMs / 1_000 + BOUNDS.headEverySeconds);
    bob.frames.length = 0;
    await seconds(2 * ROUND_SECONDS);
    assert.deepEqual(heartbeats(), []);
    await faults.accept();
    await bob.next(SERVER_FRAMES.receiveMessage);
    while (heartbeats().length === 0) await seconds(1);
    assert.deepEqual(heartbeats(), [{ roomId, version: 3 }]);
  });

  it('RT-48 nor while the tail stands still before the head of the log', async () => {
    const roomId = await world.roomIn(0, 'ada', 'bob');
    await bob.ask(CLIENT_FRAMES.joinRoom, { roomId });
    const { codec } = world;
    const tryDecode = codec.tryDecode.bind(codec);
    Object.assign(codec, { tryDecode: () => ({ unknownSchema: 99 }) });
    const learn = codec.learn.bind(codec);
    Object.assign(codec, { learn: () => Promise.reject(new Error('the registry is away')) });
    await world.say('ada', roomId, 'not understood here');
    await seconds(3 * ROUND_SECONDS);
    assert.deepEqual(heartbeats(), []);
    Object.assign(codec, { tryDecode, learn });
    await bob.next(SERVER_FRAMES.receiveMessage);
    while (heartbeats().length === 0) await seconds(1);
    assert.deepEqual(heartbeats(), [{ roomId, version: 3 }]);
  });
});
