// A socket node whose rooms lie in several partitions of Kafka: what it fetches, how partitions begin under load, and what its
// sockets see while its connections to the brokers break.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { openCodec } from '../event-log/codec/codec.ts';
import { folderSchemas } from '../event-log/codec/folder-schemas.ts';
import { until } from '../event-log/contract/log-probe.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { type ChatSocket, openSocket } from '../tests/e2e/support/chat-socket.ts';
import { fetchesByPartition } from '../tests/support/fetched-partitions.ts';
import { type KafkaHarness, openKafkaHarness } from '../tests/support/kafka-harness.ts';
import { type RealtimeNode, RealtimeWorld } from '../tests/support/realtime-world.ts';
import type { TcpProxy } from '../tests/support/tcp-proxy.ts';
import { BOUNDS } from './bounds.ts';

const PARTITIONS = 4;
const PARTITION_GAUGE = 'roomlog_realtime_partitions ';

type Joined = { socket: ChatSocket; roomId: string; first: number };

describe('a socket node on the partitions of Kafka', () => {
  let harness: KafkaHarness;
  let world: RealtimeWorld;
  let node: RealtimeNode;
  let proxy: TcpProxy;
  const sockets: ChatSocket[] = [];

  beforeEach(async () => {
    harness = await openKafkaHarness(PARTITIONS);
    world = new RealtimeWorld(harness.log, await openCodec(folderSchemas()), {});
    const { log, faults } = await harness.openThroughProxy({});
    proxy = faults;
    node = await world.openNode({ eventLog: log });
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.socket.terminate();
    await world.close();
    await harness.close();
  });

  async function connect(userId: string): Promise<ChatSocket> {
    const socket = await openSocket(node.url, world.token(userId));
    sockets.push(socket);
    await socket.next(SERVER_FRAMES.ready);
    return socket;
  }

  async function joined(userId: string, roomId: string): Promise<Joined> {
    const socket = await connect(userId);
    const { version } = await socket.ask<{ version: number }>(CLIENT_FRAMES.joinRoom, { roomId });
    return { socket, roomId, first: version };
  }

  async function partitionGauge(): Promise<number> {
    const line = (await node.metrics.metrics()).split('\n').find((one) => one.startsWith(PARTITION_GAUGE));
    return Number(line?.slice(PARTITION_GAUGE.length));
  }

  /** Says things in all rooms side by side until it is stopped; resolves with the last version of each. */
  function talk(roomIds: readonly string[]): { stop: () => Promise<Map<string, number>>; said: () => number } {
    let isStopped = false;
    let said = 0;
    const talking = roomIds.map(async (roomId): Promise<[string, number]> => {
      for (let index = 0; ; index++) {
        const { version } = await world.say('ada', roomId, `m${index}`);
        said += 1;
        if (isStopped) return [roomId, version];
      }
    });
    return {
      said: () => said,
      stop: async () => {
        isStopped = true;
        return new Map(await Promise.all(talking));
      },
    };
  }

  async function assertEveryVersionOnce(listeners: readonly Joined[], lastByRoom: ReadonlyMap<string, number>) {
    for (const { socket, roomId, first } of listeners) {
      const last = lastByRoom.get(roomId) ?? 0;
      const versions = () =>
        socket.frames
          // Neither is an event: they say a version that there has been.
          .filter(({ event }) => event !== SERVER_FRAMES.recentMessages && event !== SERVER_FRAMES.heartbeat)
          .map(({ data }) => (data as { version?: number }).version)
          .filter((version) => version !== undefined);
      await until('the last version comes', () => versions().at(-1) === last, 15_000);
      assert.deepEqual(
        versions(),
        Array.from({ length: last - first }, (_, index) => first + 1 + index),
      );
    }
  }

  it('RT-27 fetches the partitions in which it has rooms, and no others, until the last room is forgotten', async () => {
    const elsewhere = await Promise.all([0, 1, 3].map((partition) => world.roomIn(partition, 'ada', 'bob')));
    const [first, second] = [await world.roomIn(2, 'ada', 'bob'), await world.roomIn(2, 'ada', 'bob')];
    assert.equal(await partitionGauge(), 0);
    const listeners = [await joined('bob', first), await joined('bob', second)];
    assert.equal(await partitionGauge(), 1);
    const talking = talk([first, second, ...elsewhere]);
    await until('much was said', () => talking.said() > 300);
    await assertEveryVersionOnce(listeners, await talking.stop());
    assert.deepEqual([...fetchesByPartition(proxy.recordings()).keys()], [2]);

    const [third = ''] = elsewhere;
    const other = await joined('bob', third);
    await world.say('ada', third, 'one more');
    await other.socket.next(SERVER_FRAMES.receiveMessage, ({ message }) => message === 'one more');
    assert.equal(await partitionGauge(), 2);
    assert.deepEqual(new Set(fetchesByPartition(proxy.recordings()).keys()), new Set([2, 0]));
    for (const { socket } of [...listeners, other]) await socket.close();
    await until('the sockets are gone', async () =>
      (await node.metrics.metrics()).includes('sockets{transport="ws"} 0'),
    );
    world.pass(BOUNDS.emptyRoomMs + 1_000);
    assert.equal(await partitionGauge(), 0);
  });

  it('RT-28 partitions begin, end and begin again while much is said, without a gap and without a repeat', async () => {
    const roomIds: string[] = [];
    for (let partition = 0; partition < PARTITIONS; partition++) {
      roomIds.push(await world.roomIn(partition, 'ada', 'bob'), await world.roomIn(partition, 'ada', 'bob'));
    }
    const talking = talk(roomIds);
    const listeners: Joined[] = [];
    for (const [index, roomId] of roomIds.entries()) {
      // One that goes, so that the partition of every second room ends and is begun again by those who stay.
      const passing = await joined('bob', roomId);
      await passing.socket.next(SERVER_FRAMES.receiveMessage);
      await passing.socket.ask(CLIENT_FRAMES.leaveRoom, { roomId });
      world.pass(BOUNDS.emptyRoomMs + 1_000);
      assert.equal(await partitionGauge(), Math.ceil(index / 2));
      listeners.push(...(await Promise.all([joined('bob', roomId), joined('ada', roomId)])));
      const said = talking.said();
      await until('more is said', () => talking.said() > said + 40);
    }
    await assertEveryVersionOnce(listeners, await talking.stop());
    assert.equal(await partitionGauge(), PARTITIONS);
  }).timeout(60_000);

  it('RT-30 connections to the brokers that break, also silently, cost no version and repeat none', async () => {
    const roomIds = await Promise.all([0, 1, 2].map((partition) => world.roomIn(partition, 'ada', 'bob')));
    const listeners = await Promise.all(roomIds.map((roomId) => joined('bob', roomId)));
    const talking = talk(roomIds);
    for (let round = 0; round < 8; round++) {
      const said = talking.said();
      await until('more is said', () => talking.said() > said + 60);
      if (round % 4 === 3) proxy.swallowAnswers();
      else proxy.cut();
      if (round === 4) {
        const late = await world.roomIn(3, 'ada', 'bob');
        listeners.push(await joined('bob', late));
        await world.say('ada', late, 'said while connections break');
      }
    }
    const lastByRoom = await talking.stop();
    const [late] = listeners.slice(-1);
    if (late) lastByRoom.set(late.roomId, 3);
    await assertEveryVersionOnce(listeners, lastByRoom);
  }).timeout(60_000);

  it('RT-30 while the log is away rooms stay joined and can be joined, and everything comes when it is back', async () => {
    const [roomId, other] = [await world.roomIn(0, 'ada', 'bob'), await world.roomIn(1, 'ada', 'bob')];
    const listeners = [await joined('bob', roomId)];
    await proxy.refuse();
    for (let index = 0; index < 30; index++) await world.say('ada', roomId, `while away ${index}`);
    // Both are loaded already or are in history; but that somebody is no member cannot be told without the log.
    listeners.push(await joined('ada', other));
    assert.equal(await (await connect('eve')).refusal(CLIENT_FRAMES.joinRoom, { roomId }), 'unavailable');
    await world.say('ada', other, 'while away');
    assert.deepEqual(listeners[0]?.socket.all(SERVER_FRAMES.receiveMessage), []);
    await proxy.accept();
    await assertEveryVersionOnce(
      listeners,
      new Map([
        [roomId, 32],
        [other, 3],
      ]),
    );
    assert.equal(await (await connect('eve')).refusal(CLIENT_FRAMES.joinRoom, { roomId }), 'not_a_member');
  });
});
