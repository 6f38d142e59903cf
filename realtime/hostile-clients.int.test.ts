// Clients that break rules or have too much of something: each has its documented code, costs a bounded amount, and its neighbour in
// the same room is served.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { CLOSE_CODES } from '../schemas/close-codes.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { type ChatSocket, openSocket } from '../tests/e2e/support/chat-socket.ts';
import { clientFrame, OPCODES, openRawSocket, type RawSocket, upgradeRequest } from '../tests/support/raw-socket.ts';
import { openRealtimeWorld, type RealtimeNode, type RealtimeWorld } from '../tests/support/realtime-world.ts';
import { BOUNDS } from './bounds.ts';

describe('hostile clients', () => {
  let world: RealtimeWorld;
  let node: RealtimeNode;
  let roomId: string;
  let neighbour: ChatSocket;
  const opened: RawSocket[] = [];

  beforeEach(async () => {
    world = await openRealtimeWorld();
    node = await world.openNode();
    roomId = await world.room('ada', 'eve');
    neighbour = await openSocket(node.url, world.token('ada'));
    await neighbour.ask(CLIENT_FRAMES.joinRoom, { roomId });
  });

  afterEach(async () => {
    for (const { socket } of opened.splice(0)) socket.destroy();
    neighbour.socket.terminate();
    await world.close();
  });

  async function connect(): Promise<RawSocket> {
    const raw = await openRawSocket(node.httpUrl, world.token('eve'));
    opened.push(raw);
    await raw.until(() => raw.texts().find(({ event }) => event === SERVER_FRAMES.ready), 'ready');
    return raw;
  }

  async function neighbourIsServed(): Promise<void> {
    const { version } = await world.say('ada', roomId, 'are you there?');
    await neighbour.next<{ version: number }>(SERVER_FRAMES.receiveMessage, (message) => message.version === version);
  }

  async function closes(name: keyof typeof CLOSE_CODES): Promise<number> {
    const text = await node.metrics.metrics();
    return Number(new RegExp(`closes_total\\{name="${name}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
  }

  it('RT-85 a flood of pings or pongs ends in tooManyControlFrames; so many as any client needs do not', async () => {
    for (const opcode of [OPCODES.ping, OPCODES.pong]) {
      const raw = await connect();
      raw.send(...Array.from({ length: BOUNDS.controlFrames }, () => clientFrame(opcode, 'x'.repeat(125))));
      raw.send(clientFrame(OPCODES.text, JSON.stringify({ event: CLIENT_FRAMES.leaveRoom, data: { roomId }, ref: 1 })));
      await raw.answer(1);
      raw.send(...Array.from({ length: 100_000 }, () => clientFrame(opcode, 'x'.repeat(125))));
      assert.equal(await raw.closeCode(), CLOSE_CODES.tooManyControlFrames.code);
      const pongs = raw.frames.filter((frame) => frame.opcode === OPCODES.pong).length;
      assert.ok(pongs <= BOUNDS.controlFrames + 1, `${pongs} pongs`);
      await neighbourIsServed();
    }
    assert.equal(await closes('tooManyControlFrames'), 2);
  });

  it('RT-85 what came before a ping of the node does not count any more', async () => {
    const raw = await connect();
    for (let round = 1; round <= 3; round++) {
      raw.send(...Array.from({ length: BOUNDS.controlFrames - 5 }, () => clientFrame(OPCODES.ping)));
      raw.send(
        clientFrame(OPCODES.text, JSON.stringify({ event: CLIENT_FRAMES.leaveRoom, data: { roomId }, ref: round })),
      );
      await raw.answer(round);
      world.pass(BOUNDS.pingEveryMs);
    }
    await neighbourIsServed();
  });

  it('RT-91 10,000 joins of one socket are all answered, most refused, and leave no more behind than the socket has', async () => {
    const rooms = await Promise.all(Array.from({ length: 20 }, () => world.room('eve')));
    const raw = await connect();
    const wanted = [...rooms, ...Array.from({ length: 9_980 }, (_, index) => `nowhere-${index}`)];
    const frames = wanted.map((wantedId, ref) =>
      clientFrame(OPCODES.text, JSON.stringify({ event: CLIENT_FRAMES.joinRoom, data: { roomId: wantedId }, ref })),
    );
    raw.send(...frames);
    for (let round = 0; round < 5; round++) await neighbourIsServed();
    const answers = await raw.until(() => {
      const texts = raw.texts().filter(({ ref }) => ref !== undefined);
      return texts.length === wanted.length && texts;
    }, 'every answer');
    const codes = Map.groupBy(answers, ({ error }) => error?.code ?? 'joined');
    assert.equal(codes.get('joined')?.length, rooms.length);
    assert.ok((codes.get('rate_limited')?.length ?? 0) > 5_000);
    const others = [...codes.keys()].filter(
      (code) => !['joined', 'rate_limited', 'room_not_found', 'busy'].includes(code),
    );
    assert.deepEqual(others, []);
    await neighbourIsServed();
    const hub = /^roomlog_realtime_rooms (\d+)$/m.exec(await node.metrics.metrics())?.[1];
    assert.equal(Number(hub), rooms.length + 1);
  }).timeout(60_000);

  it('RT-92 connections that say nothing are bounded in number, and the sockets are served', async () => {
    const small = await world.openNode({ maxSockets: 2 });
    const early = await openSocket(small.url, world.token('ada'));
    const { hostname, port } = new URL(small.httpUrl);
    const idle = await Promise.all(
      Array.from({ length: BOUNDS.plainConnections + 50 }, async () => {
        const socket = connectTcp(Number(port), hostname);
        socket.on('error', () => undefined);
        await once(socket, 'connect');
        return socket;
      }),
    );
    const ended = (): number => idle.filter(({ destroyed }) => destroyed).length;
    for (const socket of idle) socket.resume();
    while (ended() < 40) await new Promise(setImmediate);
    await early.ask(CLIENT_FRAMES.joinRoom, { roomId });
    for (const socket of idle) socket.destroy();
    early.socket.terminate();
  });

  it('RT-92 an upgrade byte by byte is taken, one that is none is refused', async () => {
    const { hostname, port } = new URL(node.httpUrl);
    const slow = connectTcp(Number(port), hostname);
    slow.setNoDelay(true);
    for (const byte of upgradeRequest([`Authorization: Bearer ${world.token('eve')}`])) {
      await new Promise((resolve) => slow.write(byte, resolve));
    }
    const [response] = (await once(slow, 'data')) as [Buffer];
    assert.match(response.toString('latin1'), /^HTTP\/1\.1 101 /);
    slow.destroy();
    for (const [from, to] of [
      ['Version: 13', 'Version: 12'],
      ['Key: dGhlIHNhbXBsZSBub25jZQ==', 'Key: short'],
      ['Upgrade: websocket', 'Upgrade: something'],
      ['GET /', 'POST /'],
    ] as const) {
      const socket = connectTcp(Number(port), hostname);
      socket.on('error', () => undefined);
      socket.write(upgradeRequest().replace(from, to));
      const [refusal] = (await once(socket, 'data')) as [Buffer];
      assert.match(refusal.toString('latin1'), /^HTTP\/1\.1 4\d\d /, to);
      socket.destroy();
    }
    await neighbourIsServed();
  });

  it('RT-83 faults of the protocol are counted by the name of their close code', async () => {
    const faults: [Buffer, keyof typeof CLOSE_CODES][] = [
      [clientFrame(OPCODES.text, '{}', { masked: false }), 'protocolError'],
      [clientFrame(OPCODES.text, Buffer.from([0xff])), 'invalidText'],
      [clientFrame(OPCODES.text, 'x'.repeat(70_000)), 'frameTooBig'],
      [
        Buffer.concat([
          clientFrame(OPCODES.text, '', { fin: false }),
          ...Array.from({ length: BOUNDS.fragmentsPerMessage }, () =>
            clientFrame(OPCODES.continuation, '', { fin: false }),
          ),
        ]),
        'tooManyPieces',
      ],
    ];
    for (const [bytes, name] of faults) {
      const raw = await connect();
      raw.send(bytes);
      assert.equal(await raw.closeCode(), CLOSE_CODES[name].code);
      assert.equal(await closes(name), 1);
    }
    await neighbourIsServed();
  });
});
