// No bytes whatever end the node or touch another socket: what is random, what is nearly right, cut anywhere.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { after, before, describe, it } from 'mocha';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { type ChatSocket, openSocket } from '../tests/e2e/support/chat-socket.ts';
import { clientFrame, OPCODES, openRawSocket } from '../tests/support/raw-socket.ts';
import { openRealtimeWorld, type RealtimeNode, type RealtimeWorld } from '../tests/support/realtime-world.ts';

const RUNS = 200;
const ROOM = 'any-bytes';

const opcode = fc.oneof(fc.constantFrom(...Object.values(OPCODES)), fc.integer({ min: 0, max: 15 }));
const event = fc.oneof(fc.constantFrom(...Object.values(CLIENT_FRAMES)), fc.string());
const request = fc
  .record(
    { event, data: fc.oneof(fc.jsonValue(), fc.record({ roomId: fc.constant(ROOM) })), ref: fc.jsonValue() },
    { requiredKeys: [] },
  )
  .map((frame) => JSON.stringify(frame));
const payload: fc.Arbitrary<string | Buffer> = fc.oneof(
  { weight: 4, arbitrary: request },
  { weight: 1, arbitrary: fc.string() },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300, size: 'max' }).map((bytes) => Buffer.from(bytes)) },
);
const wellFormed = fc
  .record({ opcode: fc.constantFrom(OPCODES.text, OPCODES.text, OPCODES.ping, OPCODES.pong), payload })
  .map((frame) =>
    clientFrame(frame.opcode, frame.opcode === OPCODES.text ? frame.payload : String(frame.payload).slice(0, 20)),
  );
const anyFrame = fc
  .record({
    opcode,
    payload,
    fin: fc.boolean(),
    rsv: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 7 }) }),
    masked: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  })
  .map((frame) => clientFrame(frame.opcode, frame.payload, frame));
const bytes = fc.oneof(
  fc.array(wellFormed, { maxLength: 30, size: 'max' }).map((frames) => Buffer.concat(frames)),
  fc.array(fc.oneof(wellFormed, anyFrame), { maxLength: 30, size: 'max' }).map((frames) => Buffer.concat(frames)),
  fc.uint8Array({ maxLength: 2_000, size: 'max' }).map((array) => Buffer.from(array)),
);
/** Where the bytes are cut into writes, as parts of their length, and whether the connection breaks at the end. */
const cuts = fc.record({
  at: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 }),
  breaks: fc.boolean(),
});

function cut(whole: Buffer, parts: number[]): Buffer[] {
  const places = [0, ...parts.map((part) => Math.floor(part * whole.length)), whole.length].sort(
    (one, other) => one - other,
  );
  return places.slice(1).map((end, index) => whole.subarray(places[index], end));
}

describe('any bytes', () => {
  let world: RealtimeWorld;
  let node: RealtimeNode;
  let neighbour: ChatSocket;

  before(async () => {
    world = await openRealtimeWorld();
    node = await world.openNode();
    const place = { roomId: ROOM, spaceId: 'space-1', name: 'Lobby', description: '', isPrivate: false };
    await world.act('ada', { type: 'CreateRoom', ...place });
    await world.act('eve', { type: 'JoinRoom', roomId: ROOM });
    neighbour = await openSocket(node.url, world.token('ada'));
    await neighbour.ask(CLIENT_FRAMES.joinRoom, { roomId: ROOM });
  });

  after(async () => {
    neighbour.socket.terminate();
    await world.close();
  });

  async function neighbourIsServed(): Promise<void> {
    const { version } = await world.say('ada', ROOM, 'are you there?');
    await neighbour.next<{ version: number }>(SERVER_FRAMES.receiveMessage, (message) => message.version === version);
  }

  it('RT-93 after the upgrade: the neighbour is served, and what comes back keeps to RFC 6455', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, cuts, async (sent, { at, breaks }) => {
        const raw = await openRawSocket(node.httpUrl, world.token('eve'));
        for (const piece of cut(sent, at)) {
          raw.send(piece);
          await new Promise(setImmediate);
        }
        if (breaks) raw.socket.destroy();
        await neighbourIsServed();
        // The strict reader has looked at everything until now.
        raw.assertSound();
        raw.socket.destroy();
      }),
      { numRuns: RUNS },
    );
    const text = await node.metrics.metrics();
    assert.doesNotMatch(text, /refusals_total\{code="internal"\}/);
  }).timeout(60_000);

  it('RT-93 instead of an upgrade: the connection is answered or ended, and the neighbour is served', async () => {
    const { hostname, port } = new URL(node.httpUrl);
    const line = fc.constantFrom(
      'GET / HTTP/1.1',
      'Host: x',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol: bearer, a.b.c',
      'Content-Length: 10',
      'Transfer-Encoding: chunked',
      '',
    );
    const head = fc
      .array(fc.oneof(line, fc.string()), { maxLength: 12 })
      .map((lines) => Buffer.from(lines.join('\r\n')));
    await fc.assert(
      fc.asyncProperty(fc.oneof(head, bytes), cuts, async (sent, { at }) => {
        const socket = connect(Number(port), hostname);
        socket.on('error', () => undefined);
        socket.resume();
        await once(socket, 'connect');
        for (const piece of cut(sent, at)) socket.write(piece);
        await neighbourIsServed();
        socket.destroy();
      }),
      { numRuns: RUNS },
    );
  }).timeout(60_000);
});
