// Tokens of open sockets of every kind: the warning before their end, the end, fresh ones, and wrong ones.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { CLOSE_CODES } from '../schemas/close-codes.ts';
import { LIMITS } from '../schemas/limits.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { type ChatSocket, openSocket } from '../tests/e2e/support/chat-socket.ts';
import { openSocketIo } from '../tests/support/documented-socket-io.ts';
import { askForEvents, EventStream } from '../tests/support/event-stream.ts';
import { openRealtimeWorld, type RealtimeNode, type RealtimeWorld } from '../tests/support/realtime-world.ts';
import { BOUNDS } from './bounds.ts';

type Expiring = { expiresAt: string; inMs: number };

const { tokenExpiring } = SERVER_FRAMES;
const LIFE_SECONDS = 100;

describe('tokens of open sockets', () => {
  let world: RealtimeWorld;
  let node: RealtimeNode;
  const atEnd: (() => void)[] = [];

  beforeEach(async () => {
    world = await openRealtimeWorld();
    node = await world.openNode();
  });

  afterEach(async () => {
    for (const end of atEnd.splice(0)) end();
    await world.close();
  });

  async function connect(userId: string, more: Parameters<RealtimeWorld['token']>[1] = {}): Promise<ChatSocket> {
    const socket = await openSocket(node.url, world.token(userId, more));
    atEnd.push(() => socket.socket.terminate());
    await socket.next(SERVER_FRAMES.ready);
    return socket;
  }

  /** Time passes, in which the living sockets answer their pings. */
  async function pass(ms: number, ...living: ChatSocket[]): Promise<void> {
    for (let left = ms; left > 0; left -= BOUNDS.pingEveryMs) {
      world.pass(Math.min(left, BOUNDS.pingEveryMs));
      for (const socket of living) await socket.ask(CLIENT_FRAMES.leaveRoom, { roomId: 'nowhere' });
    }
  }

  it('RT-86 a token is warned of once before it ends, a fresh one prevents the end and is warned of again', async () => {
    const life = { expiresInSeconds: LIFE_SECONDS };
    const [forgetful, careful] = [await connect('ada', life), await connect('bob', life)];
    await pass(LIFE_SECONDS * 1_000 - LIMITS.tokenWarningMs - 5_000, forgetful, careful);
    assert.deepEqual(careful.all(tokenExpiring), []);
    await pass(10_000, forgetful, careful);
    for (const socket of [forgetful, careful]) {
      const { expiresAt, inMs } = await socket.next<Expiring>(tokenExpiring);
      assert.ok(inMs > LIMITS.tokenWarningMs - 10_000 && inMs <= LIMITS.tokenWarningMs, `${inMs} ms`);
      assert.ok(Math.abs(Date.parse(expiresAt) - world.clock.now() - inMs) < 10_000);
    }
    // By the clock of those who make tokens it is still the beginning.
    const fresh = { token: world.token('bob', { expiresInSeconds: 3 * LIFE_SECONDS }) };
    assert.deepEqual(await careful.ask(CLIENT_FRAMES.auth, fresh), { userId: 'bob', username: 'the bob' });
    await pass(LIMITS.tokenWarningMs - 15_000, forgetful, careful);
    await pass(15_000, careful);
    assert.equal((await forgetful.closed()).code, CLOSE_CODES.tokenExpired.code);
    assert.equal(forgetful.all(tokenExpiring).length, 1);
    assert.equal(careful.all(tokenExpiring).length, 1);
    await pass(2 * LIFE_SECONDS * 1_000 - LIMITS.tokenWarningMs, careful);
    await careful.next(tokenExpiring);
    await pass(LIMITS.tokenWarningMs - 15_000, careful);
    world.pass(15_000);
    assert.equal((await careful.closed()).code, CLOSE_CODES.tokenExpired.code);
  });

  it('RT-86 a token that ends sooner than a warning comes is warned of as soon as it is taken', async () => {
    const ada = await connect('ada', { expiresInSeconds: 20 });
    const { inMs } = await ada.next<Expiring>(tokenExpiring);
    assert.ok(inMs > 0 && inMs <= 20_000);
    assert.equal(
      ada.frames.findIndex(({ event }) => event === SERVER_FRAMES.ready),
      0,
    );
  });

  it('RT-86 a fresh token that ends sooner than the old one counts, too', async () => {
    const ada = await connect('ada', { expiresInSeconds: LIFE_SECONDS });
    await ada.ask(CLIENT_FRAMES.auth, { token: world.token('ada', { expiresInSeconds: 30 }) });
    await ada.next(tokenExpiring);
    world.pass(32_000);
    assert.equal((await ada.closed()).code, CLOSE_CODES.tokenExpired.code);
  });

  it('RT-86 socket.io clients are warned, and go on with a fresh token in an auth event', async () => {
    const options = {
      reconnection: false,
      forceNew: true,
      auth: { token: world.token('ada', { expiresInSeconds: LIFE_SECONDS }) },
    };
    const socket = openSocketIo(node.httpUrl, options);
    atEnd.push(() => socket.disconnect());
    const warned = () => new Promise<Expiring>((resolve) => socket.once(tokenExpiring, resolve));
    await new Promise((resolve) => socket.once(SERVER_FRAMES.ready, resolve));
    const first = warned();
    world.pass(LIFE_SECONDS * 1_000 - LIMITS.tokenWarningMs + 2_000);
    assert.ok((await first).inMs <= LIMITS.tokenWarningMs);
    const token = world.token('ada', { expiresInSeconds: 2 * LIFE_SECONDS });
    const answer: unknown = await socket.emitWithAck(CLIENT_FRAMES.auth, { token });
    assert.deepEqual(answer, { data: { userId: 'ada', username: 'the ada' } });
    const second = warned();
    const error = new Promise<{ closeCode: number }>((resolve) => socket.once(SERVER_FRAMES.error, resolve));
    world.pass(LIFE_SECONDS * 1_000);
    await second;
    world.pass(LIMITS.tokenWarningMs);
    assert.equal((await error).closeCode, CLOSE_CODES.tokenExpired.code);
  });

  it('RT-86 a stream of events is warned, then ends; its client comes back with a fresh token', async () => {
    const roomId = await world.room('ada');
    const authorization = `Bearer ${world.token('ada', { expiresInSeconds: LIFE_SECONDS })}`;
    const stream = new EventStream(
      await askForEvents(`${node.httpUrl}/api/v1/chatroom/${roomId}/events`, { authorization }),
    );
    atEnd.push(() => stream.close());
    await stream.next(SERVER_FRAMES.recentMessages);
    world.pass(LIFE_SECONDS * 1_000 - LIMITS.tokenWarningMs + 2_000);
    await stream.next(tokenExpiring);
    world.pass(LIMITS.tokenWarningMs);
    assert.equal((await stream.next(SERVER_FRAMES.error)).closeCode, CLOSE_CODES.tokenExpired.code);
    await stream.ended();
  });

  it('RT-87 a token of another user, a forged one and one that has ended are refused, and the session goes on as it was', async () => {
    const roomId = await world.room('ada');
    const ada = await connect('ada');
    const [header, , signature] = world.token('ada').split('.');
    const claims = Buffer.from(JSON.stringify({ sub: 'ada', exp: 4_000_000_000, role: 'platform-admin' }));
    const refused: [string, string][] = [
      [world.token('bob'), 'token_of_another_user'],
      [world.token('bob', { isOperator: true }), 'token_of_another_user'],
      [world.token('ada', { expiresInSeconds: -10 }), 'token_expired'],
      [`${header}.${claims.toString('base64url')}.${signature}`, 'token_invalid'],
      ['nonsense', 'token_invalid'],
    ];
    for (const [token, code] of refused) assert.equal(await ada.refusal(CLIENT_FRAMES.auth, { token }), code);
    await ada.ask(CLIENT_FRAMES.joinRoom, { roomId });
    await ada.ask(CLIENT_FRAMES.sendMessage, { roomId, message: 'still me' });
    const { userId } = await ada.next<{ userId: string }>(SERVER_FRAMES.receiveMessage);
    assert.equal(userId, 'ada');
  });

  it('RT-87 too many of them close the socket, and its neighbour feels nothing', async () => {
    const [roomId, ada, bob] = [await world.room('ada', 'bob'), await connect('ada'), await connect('bob')];
    for (const socket of [ada, bob]) await socket.ask(CLIENT_FRAMES.joinRoom, { roomId });
    const token = world.token('eve');
    for (let index = 0; index <= BOUNDS.badFrames; index++) ada.emit(CLIENT_FRAMES.auth, { token });
    assert.equal((await ada.closed()).code, CLOSE_CODES.tooManyBadFrames.code);
    await bob.ask(CLIENT_FRAMES.sendMessage, { roomId, message: 'and me' });
  });

  it('RT-88 the rights of a fresh token count from the next frame on', async () => {
    const roomId = await world.room('ada');
    const ada = await connect('ada', { isOperator: true });
    const asBob = { roomId, message: 'as Bob', onBehalfOf: { userId: 'ada', username: 'Ada' } };
    await ada.ask(CLIENT_FRAMES.sendMessage, asBob);
    ada.emit(CLIENT_FRAMES.auth, { token: world.token('ada') });
    assert.equal(await ada.refusal(CLIENT_FRAMES.sendMessage, asBob), 'operator_only');
    ada.emit(CLIENT_FRAMES.auth, { token: world.token('ada', { isOperator: true }) });
    await ada.ask(CLIENT_FRAMES.sendMessage, asBob);
  });
});
