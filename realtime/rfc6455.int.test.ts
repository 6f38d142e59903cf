// What RFC 6455 says about frames, both ways: a table of cases that a client may send or must not, and a strict reader of all that the
// node sends. Whatever one client does, its neighbour in the same room is served.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { type ChatSocket, openSocket } from '../tests/e2e/support/chat-socket.ts';
import { clientFrame, closeFrame, OPCODES, openRawSocket, type RawSocket } from '../tests/support/raw-socket.ts';
import { openRealtimeWorld, type RealtimeNode, type RealtimeWorld } from '../tests/support/realtime-world.ts';
import { type Expectation, RFC6455_CASES } from '../tests/support/rfc6455-cases.ts';

describe('RFC 6455', () => {
  let world: RealtimeWorld;
  let node: RealtimeNode;
  let roomId: string;
  let neighbour: ChatSocket;
  const opened: RawSocket[] = [];

  before(async () => {
    world = await openRealtimeWorld();
    node = await world.openNode();
    roomId = await world.room('ada', 'eve');
    neighbour = await openSocket(node.url, world.token('ada'));
    await neighbour.ask(CLIENT_FRAMES.joinRoom, { roomId });
  });

  after(async () => {
    for (const { socket } of opened) socket.destroy();
    neighbour.socket.terminate();
    await world.close();
  });

  async function connect(): Promise<RawSocket> {
    const raw = await openRawSocket(node.httpUrl, world.token('eve'));
    opened.push(raw);
    await raw.until(() => raw.texts().find(({ event }) => event === SERVER_FRAMES.ready), 'ready');
    return raw;
  }

  async function joined(): Promise<RawSocket> {
    const raw = await connect();
    const join = { event: CLIENT_FRAMES.joinRoom, data: { roomId }, ref: 'join' };
    raw.send(clientFrame(OPCODES.text, JSON.stringify(join)));
    await raw.answer('join');
    return raw;
  }

  /** Says something, and waits until the neighbour has it, as the very next version. */
  async function neighbourIsServed(): Promise<void> {
    const { version } = await world.say('ada', roomId, 'are you there?');
    await neighbour.next<{ version: number }>(SERVER_FRAMES.receiveMessage, (message) => message.version === version);
  }

  for (const { id, name, send, byBytes, expect } of RFC6455_CASES) {
    it(`RT-83 ${id}: ${name}`, async () => {
      const raw = await connect();
      for (const piece of send) {
        if (byBytes) await raw.sendByBytes(piece);
        else raw.send(piece);
      }
      await assertHeard(raw, expect);
      await neighbourIsServed();
    });
  }

  it('RT-83 12, 13: compression that is offered is declined', async () => {
    const offer = 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits';
    const raw = await openRawSocket(node.httpUrl, world.token('eve'), [offer]);
    opened.push(raw);
    assert.match(raw.response, /^HTTP\/1\.1 101 /);
    assert.doesNotMatch(raw.response, /sec-websocket-extensions/i);
  });

  it('RT-84 sends texts of every length in the shortest header', async () => {
    const raw = await connect();
    // {"ref":"…","data":{"roomId":"r"}} around the lengths at which a header grows.
    const others = Buffer.byteLength(JSON.stringify({ ref: '', data: { roomId: 'r' } }));
    for (const bytes of [124, 125, 126, 127]) {
      const ref = 'r'.repeat(bytes - others);
      raw.send(
        clientFrame(OPCODES.text, JSON.stringify({ event: CLIENT_FRAMES.leaveRoom, data: { roomId: 'r' }, ref })),
      );
      await raw.answer(ref);
      assert.equal(raw.frames.at(-1)?.payload.length, bytes);
    }
  });

  it('RT-84 sends texts of 65,535 and 65,536 bytes in the header for each', async () => {
    const say = (room: string, characters: number) => world.say('eve', room, 'm'.repeat(characters));
    const recent = async (last: number): Promise<number> => {
      const room = await world.room('eve');
      for (let index = 0; index < 36; index++) await say(room, 1_500);
      await say(room, last);
      const raw = await connect();
      const join = { event: CLIENT_FRAMES.joinRoom, data: { roomId: room }, ref: 'join' };
      raw.send(clientFrame(OPCODES.text, JSON.stringify(join)));
      await raw.answer('join');
      return raw.frames.find(({ payload }) => payload.includes(SERVER_FRAMES.recentMessages))?.payload.length ?? 0;
    };
    const missing = 65_535 - (await recent(1));
    assert.ok(missing > 0 && missing < 1_990, `${missing} bytes are missing`);
    assert.equal(await recent(1 + missing), 65_535);
    assert.equal(await recent(2 + missing), 65_536);
  }).timeout(60_000);

  it('RT-84 pongs and frames of the room never cut each other, and each kind keeps its order', async () => {
    const raw = await joined();
    const said = Promise.all(Array.from({ length: 400 }, () => world.say('eve', roomId, 'é'.repeat(1_900))));
    for (let index = 0; index < 200; index++) {
      raw.send(clientFrame(OPCODES.ping, `${index}`));
      await new Promise(setImmediate);
    }
    const versions = (await said).map(({ version }) => version);
    const messages = () => raw.texts().filter(({ event }) => event === SERVER_FRAMES.receiveMessage);
    await raw.until(() => messages().length >= versions.length, 'every message');
    const heard = messages().map(({ data }) => (data as { version: number }).version);
    assert.deepEqual(
      heard,
      [...heard].sort((one, other) => one - other),
    );
    const pongs = await raw.until(() => {
      const heard = raw.frames.filter(({ opcode }) => opcode === OPCODES.pong);
      return heard.length === 200 && heard.map(({ payload }) => payload.toString());
    }, 'every pong');
    assert.deepEqual(
      pongs,
      Array.from({ length: 200 }, (_, index) => `${index}`),
    );
  });

  it('RT-84 after its close frame nothing follows, whatever is said in the room and asked before it', async () => {
    for (let round = 0; round < 20; round++) {
      const raw = await joined();
      const leave = { event: CLIENT_FRAMES.leaveRoom, data: { roomId: 'r' }, ref: 1 };
      const asked = clientFrame(OPCODES.text, JSON.stringify(leave));
      const said = Promise.all(Array.from({ length: 20 }, () => world.say('eve', roomId, 'bye')));
      await new Promise(setImmediate);
      raw.send(asked, asked, closeFrame(1_000), asked);
      assert.equal(await raw.closeCode(), 1_000);
      await said;
      // The strict reader fails on a frame behind the close frame.
      await raw.ended();
    }
  });

  it('RT-84 nor does it when the client reads nothing until then, so that the close frame has to wait', async () => {
    const raw = await joined();
    raw.socket.pause();
    // Under the bound of what may wait, over what the kernel takes of it.
    for (let round = 0; round < 15; round++) {
      await Promise.all(Array.from({ length: 100 }, () => world.say('eve', roomId, 'é'.repeat(2_000))));
    }
    await neighbourIsServed();
    raw.send(closeFrame(1_000));
    for (let round = 0; round < 5; round++) await neighbourIsServed();
    raw.socket.resume();
    assert.equal(await raw.closeCode(), 1_000);
    await raw.ended();
  });
});

async function assertHeard(raw: RawSocket, expect: Expectation): Promise<void> {
  const { answers = [], errors = [], close } = expect;
  const pongs = (expect.pongs ?? []).map((payload) => Buffer.from(payload).toString('hex'));
  if (close === undefined) {
    // The socket is still there: it answers what is asked last.
    raw.send(clientFrame(OPCODES.ping, 'still there?'));
    pongs.push(Buffer.from('still there?').toString('hex'));
    await raw.until(() => raw.frames.some(({ payload }) => payload.toString() === 'still there?'), 'the last pong');
    await raw.until(() => refsOf(raw).length + errorsOf(raw).length >= answers.length + errors.length, 'the answers');
  } else {
    assert.equal(await raw.closeCode(), close);
    raw.send(closeFrame(close === 1_005 ? null : close));
    await raw.ended();
  }
  assert.deepEqual(refsOf(raw), answers);
  assert.deepEqual(errorsOf(raw), errors);
  const heard = raw.frames.filter(({ opcode }) => opcode === OPCODES.pong);
  assert.deepEqual(
    heard.map(({ payload }) => payload.toString('hex')),
    pongs,
  );
  if (expect.pongsFirst) {
    const kinds = raw.frames.map(({ opcode, payload }) => (payload.includes('"ref"') ? 'answer' : opcode));
    assert.ok(kinds.indexOf(OPCODES.pong) < kinds.indexOf('answer'));
  }
}

function refsOf(raw: RawSocket): unknown[] {
  return raw.texts().flatMap(({ ref }) => (ref === undefined ? [] : [ref]));
}

function errorsOf(raw: RawSocket): unknown[] {
  return raw.texts().flatMap(({ event, data }) => (event === 'error' ? [(data as { code: string }).code] : []));
}
