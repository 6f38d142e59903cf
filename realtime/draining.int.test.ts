// A node that goes away while everybody talks: its clients go on at the other node with nothing lost and nothing twice.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { WebSocket } from 'ws';
import { CLOSE_CODES } from '../schemas/close-codes.ts';
import { LIMITS } from '../schemas/limits.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { type ChatSocket, openSocket } from '../tests/e2e/support/chat-socket.ts';
import { openSocketIo } from '../tests/support/documented-socket-io.ts';
import { askForEvents, EventStream } from '../tests/support/event-stream.ts';
import { openRealtimeWorld, type RealtimeNode, type RealtimeWorld } from '../tests/support/realtime-world.ts';

type Said = { version: number; commandId: string };

const ROOMS = 8;
const CLIENTS_PER_ROOM = 30;
const MESSAGES = 6;

/** A client as the documents ask for: it keeps the version, comes back with `after`, and repeats under its commandId. */
class Client {
  readonly userId: string;
  readonly roomId: string;
  readonly confirmed: string[] = [];
  /** The version of every frame that has one, in the order in which they came, over all connections. */
  readonly versions: number[] = [];
  readonly heard = new Set<string>();
  readonly closes: number[] = [];
  readonly waits: number[] = [];
  /** How much was confirmed when its first node had gone. */
  confirmedBefore = 0;
  version: number | undefined;
  #socket: ChatSocket | null = null;
  readonly #world: RealtimeWorld;
  readonly #nodes: RealtimeNode[];

  constructor(world: RealtimeWorld, nodes: RealtimeNode[], userId: string, roomId: string) {
    this.#world = world;
    this.#nodes = nodes;
    this.userId = userId;
    this.roomId = roomId;
  }

  /** On the first of the nodes; when it goes away, at once on the next. */
  async open(): Promise<void> {
    const [node] = this.#nodes.splice(0, 1);
    assert.ok(node, 'a node is left');
    const socket = await openSocket(node.url, this.#world.token(this.userId, { isOperator: true }));
    this.#socket = socket;
    socket.socket.on('message', () => this.#take(socket));
    socket.socket.on('close', (code) => {
      this.closes.push(code);
      this.confirmedBefore = this.confirmed.length;
      if (code === CLOSE_CODES.draining.code) void this.open();
    });
    const after = this.version === undefined ? {} : { after: this.version };
    await socket.ask(CLIENT_FRAMES.joinRoom, { roomId: this.roomId, ...after });
    this.#take(socket);
  }

  /** Until it is confirmed, on whatever connection. */
  async say(commandId: string): Promise<void> {
    for (;;) {
      const socket = this.#socket;
      assert.ok(socket);
      try {
        await socket.ask(CLIENT_FRAMES.sendMessage, { roomId: this.roomId, message: commandId, commandId });
        this.confirmed.push(commandId);
        return;
      } catch {
        // The connection has gone: never confirmed, so said again on the next one.
        while (this.#socket === socket) await new Promise(setImmediate);
      }
    }
  }

  end(): void {
    this.#socket?.socket.terminate();
  }

  #take(socket: ChatSocket): void {
    for (const { event, data } of socket.frames.splice(0)) {
      const { version, commandId, afterMs } = data as Said & { afterMs: number };
      if (event === SERVER_FRAMES.draining) this.waits.push(afterMs);
      if (event === SERVER_FRAMES.recentMessages) this.version = version;
      if (event !== SERVER_FRAMES.receiveMessage) continue;
      this.versions.push(version);
      this.version = version;
      this.heard.add(commandId);
    }
  }
}

describe('draining', () => {
  let world: RealtimeWorld;
  const atEnd: (() => void)[] = [];

  beforeEach(async () => {
    world = await openRealtimeWorld({ partitions: 4 });
  });

  afterEach(async () => {
    for (const end of atEnd.splice(0)) end();
    await world.close();
  });

  it('RT-90 everybody goes on at the other node: every version once, and nothing that was confirmed is lost', async () => {
    const [leaving, staying] = [await world.openNode({ drainMs: 400 }), await world.openNode()];
    const clients: Client[] = [];
    for (let room = 0; room < ROOMS; room++) {
      const users = Array.from({ length: CLIENTS_PER_ROOM }, (_, index) => `user-${room}-${index}`) as [string];
      const roomId = await world.room(...users);
      clients.push(...users.map((userId) => new Client(world, [leaving, staying], userId, roomId)));
    }
    atEnd.push(() => clients.map((client) => client.end()));
    await Promise.all(clients.map((client) => client.open()));
    const firstVersion = clients.map(({ version }) => version ?? 0);
    // Everybody talks before, while and after the node goes.
    const talks = clients.map(async (client) => {
      for (let index = 0; index < MESSAGES; index++) await client.say(`${client.userId}-${index}`);
    });
    while (!clients.some(({ confirmed }) => confirmed.length > 0)) await new Promise(setImmediate);
    await leaving.stop();
    await Promise.all(talks);
    // What is said again because its answer was missing may be in this log twice: it remembers no commandIds.
    const ends = new Map<string, number>();
    for (const { roomId, userId } of clients) {
      if (!ends.has(roomId)) ends.set(roomId, (await world.say(userId, roomId, 'the end')).version);
    }
    while (!clients.every(({ version, roomId }) => version === ends.get(roomId))) await new Promise(setImmediate);
    const said = clients.flatMap(({ confirmed }) => confirmed);
    assert.equal(new Set(said).size, ROOMS * CLIENTS_PER_ROOM * MESSAGES);
    for (const [index, client] of clients.entries()) {
      const first = firstVersion[index] ?? 0;
      assert.deepEqual(
        client.versions,
        Array.from({ length: (ends.get(client.roomId) ?? 0) - first }, (_, offset) => first + 1 + offset),
      );
      assert.deepEqual(client.closes, [CLOSE_CODES.draining.code]);
      assert.equal(client.waits.length, 1);
      const inRoom = clients.filter(({ roomId }) => roomId === client.roomId).flatMap(({ confirmed }) => confirmed);
      assert.ok(inRoom.every((commandId) => client.heard.has(commandId)));
    }
    assert.ok(
      clients.some(({ confirmedBefore }) => confirmedBefore < MESSAGES),
      'the node went while they talked',
    );
    // 240 sockets in portions of 100: nobody was in a hurry to come back in the same moment.
    assert.ok(new Set(clients.flatMap(({ waits }) => waits)).size > 50);
  }).timeout(60_000);

  it('RT-89 meanwhile no new sockets are taken, and what is under way is answered before the close', async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const commands = {
      execute: async (command: Parameters<RealtimeWorld['commands']['execute']>[0]) => {
        await held;
        return world.commands.execute(command);
      },
    };
    const node = await world.openNode({ commands });
    const roomId = await world.room('ada');
    const [ada, idle] = [
      await openSocket(node.url, world.token('ada')),
      await openSocket(node.url, world.token('ada')),
    ];
    atEnd.push(() => [ada, idle].map(({ socket }) => socket.terminate()));
    await ada.ask(CLIENT_FRAMES.joinRoom, { roomId });
    const answer = ada.ask(CLIENT_FRAMES.sendMessage, { roomId, message: 'on its way' });
    const asked = ada.ask(CLIENT_FRAMES.leaveRoom, { roomId: 'nowhere' });
    await asked;
    const stopped = node.stop();
    assert.equal((await idle.closed()).code, CLOSE_CODES.draining.code);
    const refused = new WebSocket(node.url, { headers: { authorization: `Bearer ${world.token('bob')}` } });
    refused.on('error', () => undefined);
    const [, response] = (await once(refused, 'unexpected-response')) as [unknown, IncomingMessage];
    assert.equal(response.statusCode, 503);
    assert.ok(Number(response.headers['retry-after']) > 0);
    refused.terminate();
    const guest = openSocketIo(node.httpUrl, { auth: { token: world.token('bob') } });
    atEnd.push(() => guest.disconnect());
    await new Promise((resolve) => guest.once('connect_error', resolve));
    release();
    await answer;
    const { afterMs } = await ada.next<{ afterMs: number }>(SERVER_FRAMES.draining);
    assert.ok(afterMs >= CLOSE_CODES.draining.afterMs);
    assert.equal(ada.frames.at(-1)?.event, SERVER_FRAMES.draining);
    assert.equal((await ada.closed()).code, CLOSE_CODES.draining.code);
    await stopped;
  });

  it('RT-89 no frame is begun any more once the node goes, whatever waits and whatever still comes', async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    let begun = 0;
    const commands = {
      execute: async (command: Parameters<RealtimeWorld['commands']['execute']>[0]) => {
        begun += 1;
        await held;
        return world.commands.execute(command);
      },
    };
    const node = await world.openNode({ commands });
    const roomId = await world.room('ada');
    const ada = await openSocket(node.url, world.token('ada', { isOperator: true }));
    const guest = openSocketIo(node.httpUrl, { auth: { token: world.token('ada', { isOperator: true }) } });
    atEnd.push(() => ada.socket.terminate());
    atEnd.push(() => guest.disconnect());
    await new Promise((resolve) => guest.once(SERVER_FRAMES.ready, resolve));
    const most = LIMITS.framesInFlightPerSocket;
    let answered = 0;
    for (let n = 0; n < most + 100; n++) {
      const message = { roomId, message: `m${n}` };
      const noteAnswer = () => (answered += 1);
      void ada.answer(CLIENT_FRAMES.sendMessage, message).then(noteAnswer, () => undefined);
      guest.emit(CLIENT_FRAMES.sendMessage, message, noteAnswer);
    }
    while (begun < 2 * most) await new Promise(setImmediate);
    const stopped = node.stop();
    guest.emit(CLIENT_FRAMES.sendMessage, { roomId, message: 'too late' });
    await world.say('ada', roomId, 'the socket.io frame has had its time');
    release();
    await stopped;
    assert.equal(begun, 2 * most);
    while (answered < begun) await new Promise(setImmediate);
  });

  it('RT-89 socket.io clients and streams of events are told how long to wait, too', async () => {
    const node = await world.openNode();
    const roomId = await world.room('ada');
    const guest = openSocketIo(node.httpUrl, { auth: { token: world.token('ada') } });
    atEnd.push(() => guest.disconnect());
    await new Promise((resolve) => guest.once(SERVER_FRAMES.ready, resolve));
    const headers = { authorization: `Bearer ${world.token('ada')}` };
    const stream = new EventStream(await askForEvents(`${node.httpUrl}/api/v1/chatroom/${roomId}/events`, headers));
    atEnd.push(() => stream.close());
    await stream.next(SERVER_FRAMES.recentMessages);
    const told = new Promise<{ afterMs: number }>((resolve) => guest.once(SERVER_FRAMES.draining, resolve));
    const ended = new Promise<{ afterMs: number }>((resolve) => guest.once(SERVER_FRAMES.error, resolve));
    await node.stop();
    const { afterMs } = await told;
    assert.ok(afterMs >= CLOSE_CODES.draining.afterMs);
    assert.equal((await ended).afterMs, afterMs);
    const { afterMs: retryMs } = await stream.next(SERVER_FRAMES.draining);
    await stream.ended();
    assert.equal(stream.retryMs, retryMs);
  });
});
