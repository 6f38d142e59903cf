// Clients that break rules or have too much of something: each has its documented code, costs a bounded amount, and its neighbour in
// the same room is served.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { CLOSE_CODES } from '../schemas/close-codes.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { type ChatSocket, openSocket } from '../tests/e2e/support/chat-socket.ts';
import { clientFrame, OPCODES, openRawSocket, type RawSocket } from '../tests/support/raw-socket.ts';
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
