import assert from 'node:assert/strict';
import type { Middleware } from 'koa';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { until } from '../event-log/contract/log-probe.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { openMemoryEventLog } from '../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../event-log/memory/memory-store.ts';
import type { Assignment } from '../event-log/ownership/ownership.ts';
import { partitionOf } from '../event-log/partition-of.ts';
import { createLogger } from '../platform/logger.ts';
import { type Command, streamOfRoom } from '../schemas/commands.ts';
import { type CommandsServer, INTERNAL_SECRET, openCommandsServer } from '../tests/support/commands-server.ts';
import { ADA, command } from '../tests/support/given-when-then.ts';
import { assertRejected, eventsOf, mustAccept } from '../tests/support/write-side.ts';
import { HOPS_HEADER, INTERNAL_COMMANDS_PATH } from './client/command-wire.ts';
import { HttpCommandClient } from './client/http-command-client.ts';

const PARTITIONS = 4;
const ROOMS = Array.from({ length: 12 }, (_, index) => `room ${index}`);
const logger = createLogger('test', 'silent');
const create = (roomId: string): Command =>
  command(ADA, { type: 'CreateRoom', roomId, spaceId: 's', name: 'n', description: '', isPrivate: false });
const send = (roomId: string, text: string, more: Partial<Command> = {}): Command => {
  const messageId = '0199c0de-0000-7000-8000-000000000001';
  return command(ADA, { type: 'SendMessage', roomId, messageId, text, replyTo: null, originalTime: null }, more);
};
const partitionOfRoom = (roomId: string): number => partitionOf(streamOfRoom(roomId), PARTITIONS);

/** A process of the commands role whose assignments the test tells, and the requests that came to it. */
type Node = {
  server: CommandsServer;
  assign: (assignment: Assignment) => void;
  handedOver: () => number;
  hops: string[];
  hold: (isHeld: boolean) => void;
};

describe('several processes of the commands role', () => {
  let store: MemoryStore;
  let log: EventLog;
  let nodes: Node[];
  let client: HttpCommandClient;

  beforeEach(async () => {
    store = new MemoryStore(PARTITIONS);
    log = openMemoryEventLog(store).log;
    nodes = [await openNode(), await openNode(), await openNode()];
    client = newClient();
  });

  afterEach(async () => {
    client.close();
    for (const node of nodes) {
      node.hold(false);
      await node.server.close();
    }
    await log.close();
  });

  const newClient = (): HttpCommandClient =>
    new HttpCommandClient({
      urls: nodes.map(({ server }) => server.url),
      secret: INTERNAL_SECRET,
      partitions: PARTITIONS,
      logger,
    });

  async function openNode(): Promise<Node> {
    let tell: ((assignment: Assignment) => void) | undefined;
    let handedOver = 0;
    const hops: string[] = [];
    let gate: PromiseWithResolvers<void> | undefined;
    const before: Middleware = async (context, next) => {
      if (context.path === INTERNAL_COMMANDS_PATH) {
        hops.push(context.get(HOPS_HEADER));
        await gate?.promise;
      }
      await next();
    };
    const openOwnership = (_address: string, onAssigned: (assignment: Assignment) => void) => {
      tell = onAssigned;
      const ended = Promise.withResolvers<void>();
      return {
        run: () => {
          onAssigned({ mine: [], addressByPartition: new Map() });
          return ended.promise;
        },
        handOver: async () => {
          handedOver += 1;
          tell?.({ mine: [], addressByPartition: new Map() });
        },
        stop: async () => ended.resolve(),
      };
    };
    const server = await openCommandsServer(openMemoryEventLog(store).log, { before, openOwnership });
    return {
      server,
      assign: (assignment) => tell?.(assignment),
      handedOver: () => handedOver,
      hops,
      hold: (isHeld) => {
        if (isHeld) gate ??= Promise.withResolvers();
        else {
          gate?.resolve();
          gate = undefined;
        }
      },
    };
  }

  /** Tells every node whose each partition is, by the nodes' numbers; -1: nobody's. `told`: the nodes that learn of it. */
  function share(
    ownerByPartition: readonly number[],
    told: readonly number[] = nodes.map((_, number) => number),
  ): void {
    const entries = ownerByPartition.flatMap((owner, partition): [number, string][] => {
      const url = nodes[owner]?.server.url;
      return url === undefined ? [] : [[partition, url]];
    });
    for (const number of told) {
      const mine = ownerByPartition.flatMap((owner, partition) => (owner === number ? [partition] : []));
      nodes[number]?.assign({ mine, addressByPartition: new Map(entries) });
    }
  }
  const at = (number: number): Node => {
    const node = nodes[number];
    assert.ok(node);
    return node;
  };
  const textsIn = async (roomId: string): Promise<string[]> =>
    (await eventsOf(log)).flatMap(({ event }) =>
      event.type === 'MessageSent' && event.roomId === roomId ? [event.text] : [],
    );

  it('CMD-90 take any command, whoever owns its partition, and give the owner’s answer', async () => {
    share([0, 1, 2, 0]);
    for (const roomId of ROOMS) mustAccept(await at(0).server.commands.execute(create(roomId)));
    for (const roomId of ROOMS) {
      const wish = send(roomId, 'hello');
      const first = mustAccept(await at(1).server.commands.execute(wish));
      for (const node of nodes) assert.deepEqual(await node.server.commands.execute(wish), first);
      assertRejected(
        await at(2).server.commands.execute({ ...send(roomId, 'x'), actor: { userId: 'eve', username: 'eve' } }),
        'not_a_member',
      );
    }
    assert.deepEqual(await at(0).server.metric('roomlog_commands_conflicts_total'), 0);
    assert.ok((await at(1).server.metric('roomlog_commands_forwarded_total')) > 0);
  });

  it('CMD-91 a command goes on at most twice: then partition_moving, with nothing done; who took it tries on and says so in time', async () => {
    // Everybody believes it is somebody else's.
    share([1, 1, 1, 1], [0]);
    share([2, 2, 2, 2], [1]);
    share([0, 0, 0, 0], [2]);
    const began = Date.now();
    const answer = await at(0).server.commands.execute(create('lost'));
    assertRejected(answer, 'partition_moving');
    assert.ok('retryAfterMs' in answer && (answer.retryAfterMs ?? 0) > 0);
    assert.ok(Date.now() - began < 2_000);
    assert.deepEqual(new Set(nodes.flatMap(({ hops }) => hops)), new Set(['1', '2']));
    assert.deepEqual(await eventsOf(log), []);
    share([0, 0, 0, 0]);
    mustAccept(await at(1).server.commands.execute(create('lost')));
  });

  it('CMD-91 over REST: 503 with Retry-After while nobody owns the partition', async () => {
    const reply = await at(0).server.post('/api/v1/chatroom/create', { roomid: 's', name: 'n' });
    assert.equal(reply.status, 503);
    assert.equal(reply.body.code, 'partition_moving');
    assert.equal(reply.headers.get('retry-after'), '1');
    assert.deepEqual(await eventsOf(log), []);
  });

  it('CMD-92 the commands of a room keep their order while its partition moves to and fro, and none is lost or doubled', async () => {
    share([0, 0, 0, 0]);
    for (const roomId of ROOMS) mustAccept(await client.execute(create(roomId)));
    const sent = new Map(ROOMS.map((roomId) => [roomId, [] as string[]]));
    const answers: Promise<unknown>[] = [];
    for (let round = 0; round < 60; round++) {
      if (round % 5 === 0) share(Array.from({ length: PARTITIONS }, (_, partition) => (round / 5 + partition) % 3));
      for (const roomId of ROOMS) {
        const text = `${round}`;
        sent.get(roomId)?.push(text);
        answers.push(client.execute(send(roomId, text)).then(mustAccept));
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(answers);
    for (const roomId of ROOMS) assert.deepEqual(await textsIn(roomId), sent.get(roomId));
  });

  it('CMD-93 a process that believes it still owns a partition loses and doubles nothing', async () => {
    share([0, 0, 0, 0]);
    for (const roomId of ROOMS) mustAccept(await at(0).server.commands.execute(create(roomId)));
    // The zombie hears nothing of it.
    share([1, 1, 1, 1], [1, 2]);
    const wishes = ROOMS.flatMap((roomId) => Array.from({ length: 20 }, (_, index) => send(roomId, `${index}`)));
    await Promise.all(
      wishes
        .flatMap((wish) => [at(0).server.commands.execute(wish), at(1).server.commands.execute(wish)])
        .map(async (answer) => mustAccept(await answer)),
    );
    const found = (await eventsOf(log)).filter(({ event }) => event.type === 'MessageSent');
    assert.equal(found.length, wishes.length);
    assert.equal(new Set(found.map(({ event }) => event.metadata.commandId)).size, wishes.length);
  });

  it('CMD-94 clients learn who owns what, go there directly, and find another way when an owner is gone or silent', async () => {
    share([1, 1, 2, 2]);
    for (const roomId of ROOMS) mustAccept(await client.execute(create(roomId)));
    await until('the owners are known', async () => {
      const passedOn = nodes.map(({ hops }) => hops.filter((hop) => hop === '1').length);
      for (const roomId of ROOMS) mustAccept(await client.execute(send(roomId, 'x')));
      return nodes.every(({ hops }, index) => hops.filter((hop) => hop === '1').length === passedOn[index]);
    });
    await at(2).server.close();
    share([1, 1, 0, 0], [0, 1]);
    for (const roomId of ROOMS) mustAccept(await client.execute(send(roomId, 'after one has gone')));
    // Frozen: it takes connections and says nothing. What it has taken is lost in time, and then the others are asked.
    at(1).hold(true);
    const moving = ROOMS.filter((roomId) => partitionOfRoom(roomId) < 2);
    await Promise.all(moving.map((roomId) => client.execute(send(roomId, 'to the frozen one'))));
    share([0, 0, 0, 0], [0]);
    for (const roomId of moving) mustAccept(await client.execute(send(roomId, 'after the frozen one')));
  });

  it('CMD-95 what waits for an owner that does not answer goes to the new one at once when the partition moves', async () => {
    share([1, 1, 1, 1]);
    mustAccept(await at(0).server.commands.execute(create('lobby')));
    at(1).hold(true);
    const began = performance.now();
    const waiting = Array.from({ length: 10 }, (_, index) => at(0).server.commands.execute(send('lobby', `${index}`)));
    await until('the request has come to the frozen owner', () => at(1).hops.length >= 2);
    share([2, 2, 2, 2], [0, 2]);
    for (const answer of await Promise.all(waiting)) mustAccept(answer);
    assert.ok(performance.now() - began < 1_900, 'nobody waited for the time to be up');
    assert.deepEqual(
      await textsIn('lobby'),
      waiting.map((_, index) => `${index}`),
    );
    at(1).hold(false);
    await until('the zombie has worked off what it had', async () => (await textsIn('lobby')).length === 10);
  });

  it('CMD-96 a process that stops hands its partitions over before it closes its port, and says that it is not ready', async () => {
    share([0, 1, 2, 0]);
    mustAccept(await at(0).server.commands.execute(create('lobby')));
    assert.equal((await at(0).server.get('/ready')).status, 200);
    assert.equal(at(0).handedOver(), 0);
    await at(0).server.close();
    assert.equal(at(0).handedOver(), 1);
  });
});
