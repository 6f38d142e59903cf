// The transport against socket.io itself, both its sides: what leaves together, and that an unmodified client reads it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server as HttpServer, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket as TcpSocket } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Server, type Socket as ServerSocket } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import { LIMITS } from '../../schemas/limits.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { silentMetrics } from '../../tests/support/silent-metrics.ts';
import { type EncodedFrame, encodeFrame, joinFrames } from '../frames/encoded-frame.ts';
import { Backlog } from './backlog.ts';
import { SocketIoTransport } from './socket-io-transport.ts';
import { TurnQueue } from './turn-queue.ts';

const frame = (userId: string): EncodedFrame =>
  encodeFrame(SERVER_FRAMES.typing, { roomId: 'ü', userId, username: '😀' });
const range = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index));

describe('a socket.io transport', () => {
  let http: HttpServer;
  let server: Server;
  let client: Socket;
  let turns: TurnQueue;
  let flushes: (() => void)[];
  let heard: unknown[];
  let writes: number;
  let isClosed: boolean;

  beforeEach(() => {
    [http, flushes, heard, writes, isClosed] = [createServer(), [], [], 0, false];
    server = new Server(http, { perMessageDeflate: false, httpCompression: false });
    // The turn ends when the test says so.
    turns = new TurnQueue({ nowMs: () => 0, soon: (task) => flushes.push(task), later: () => assert.fail('no rest') });
  });

  afterEach(async () => {
    client.disconnect();
    await server.close();
  });

  async function connect(
    transport: 'websocket' | 'polling',
  ): Promise<{ transport: SocketIoTransport; socket: ServerSocket }> {
    http.on('connection', (tcp: TcpSocket) => {
      const write = tcp.write.bind(tcp) as (...args: unknown[]) => boolean;
      tcp.write = (...args: unknown[]) => {
        if (transport === 'websocket') writes += 1;
        return write(...args);
      };
    });
    http.on('request', (_request, response: ServerResponse) => response.on('finish', () => (writes += 1)));
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    const { port } = http.address() as AddressInfo;
    client = io(`http://127.0.0.1:${port}`, { transports: [transport], forceNew: true });
    client.onAny((event: string, ...args: unknown[]) => heard.push([event, ...args]));
    const [[socket]] = (await Promise.all([once(server, 'connection'), once(client as never, 'connect')])) as [
      [ServerSocket],
      unknown,
    ];
    const onClosed = () => {
      isClosed = true;
    };
    const deps = { socket, turns, backlog: new Backlog(), metrics: silentMetrics, onClosed };
    return { transport: new SocketIoTransport(deps), socket };
  }

  function endTurn(): void {
    for (const flush of flushes.splice(0)) flush();
  }

  async function hears(userIds: string[]): Promise<void> {
    while (heard.length < userIds.length) await new Promise((resolve) => client.onAny(resolve));
    assert.deepEqual(
      heard,
      userIds.map((userId) => [SERVER_FRAMES.typing, { roomId: 'ü', userId, username: '😀' }]),
    );
  }

  for (const over of ['websocket', 'polling'] as const) {
    it(`RT-126 what a turn has to say over ${over} leaves in one write, and is heard in order`, async () => {
      const { transport } = await connect(over);
      // The poll that waits must be there already: it is the one that is answered.
      while (over === 'polling' && writes < 3) await new Promise((resolve) => setTimeout(resolve, 1));
      const before = writes;
      const ids = range(60);
      for (const id of ids.slice(0, 20)) transport.send(frame(id));
      transport.sendBatch(joinFrames(ids.slice(20, 40).map(frame)));
      for (const id of ids.slice(40)) transport.send(frame(id));
      assert.equal(writes, before);
      endTurn();
      await hears(ids);
      assert.equal(writes, before + 1);
    });
  }

  it('RT-126 an answer comes after what was sent before it', async () => {
    const { transport, socket } = await connect('websocket');
    socket.onAny((_event, acknowledge: (answer: object) => void) => {
      transport.send(frame('first'));
      transport.replyTo(acknowledge)({ data: {} });
    });
    const heardBefore = await new Promise((resolve) => client.emit('ask', () => resolve(heard.length)));
    assert.equal(heardBefore, 1);
  });

  it('RT-126 what waits goes down as the client reads, and beyond the bound the client is given up', async () => {
    const { transport } = await connect('websocket');
    const big = frame('x'.repeat(100_000));
    for (let index = 0; index < 10; index++) transport.send(big);
    assert.ok(transport.queuedBytes > 1_000_000);
    endTurn();
    while (transport.queuedBytes > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isClosed, false);
    let sent = 0;
    while (!isClosed) {
      transport.send(big);
      sent += 100_000;
      assert.ok(sent < 2 * LIMITS.socketQueueBytes);
    }
    assert.ok(sent > LIMITS.socketQueueBytes / 2);
  });
});
