// Bad input over the WebSocket and socket.io: every line of the table gets its documented code or close code, and writes nothing.
import assert from 'node:assert/strict';
import { before, describe, it } from 'mocha';
import { CLOSE_CODES, type CloseName } from '../../../schemas/close-codes.ts';
import { LIMITS } from '../../../schemas/limits.ts';
import type { RejectionCode } from '../../../schemas/rejections.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../../../schemas/wire.ts';
import { openSocketIo } from '../../support/documented-socket-io.ts';
import { type ChatSocket, openSocket } from '../support/chat-socket.ts';
import { assertNoInternals } from '../support/rest.ts';
import { newUser, type Way } from '../support/way.ts';
import type { GetWay } from './acceptance.ts';

type Fixture = { way: Way; token: string; strangerToken: string; roomId: string };
type RefusedCase = [what: string, code: RejectionCode, event: string, data: (fixture: Fixture) => unknown];
type RawCase = [what: string, code: RejectionCode, raw: string];
type ClosedCase = [what: string, close: CloseName, act: (socket: ChatSocket, fixture: Fixture) => void];

const { joinRoom, leaveRoom, sendMessage, typing, auth } = CLIENT_FRAMES;
const send =
  (fields: object) =>
  ({ roomId }: Fixture) => ({ roomId, message: 'x', ...fields });

const REFUSED: RefusedCase[] = [
  ['an event that is none', 'unknown_event', 'receive', () => ({})],
  ['a server event from a client', 'unknown_event', SERVER_FRAMES.receiveMessage, () => ({})],
  ['an event named like a property of every object', 'unknown_event', 'constructor', () => ({})],
  ['no data', 'invalid_request', sendMessage, () => undefined],
  ['data that is an array', 'invalid_request', sendMessage, () => []],
  ['a number for a text', 'invalid_request', sendMessage, send({ message: 5 })],
  ['an object for a room', 'invalid_request', joinRoom, () => ({ roomId: { $ne: null } })],
  ['an unknown field', 'invalid_request', sendMessage, send({ surprise: true })],
  ['an empty room id', 'invalid_request', joinRoom, () => ({ roomId: '' })],
  ['a room id that is too long', 'invalid_request', leaveRoom, () => ({ roomId: 'x'.repeat(LIMITS.idCodePoints + 1) })],
  ['a room id with a NUL', 'invalid_request', joinRoom, () => ({ roomId: 'a\0b' })],
  ['a version that is negative', 'invalid_request', joinRoom, ({ roomId }) => ({ roomId, after: -1 })],
  ['a version that is a text', 'invalid_request', joinRoom, ({ roomId }) => ({ roomId, after: '1' })],
  [
    'a version that the room has not reached',
    'version_ahead',
    joinRoom,
    ({ roomId }) => ({ roomId, after: 1_000_000 }),
  ],
  ['an empty text', 'message_empty', sendMessage, send({ message: '' })],
  ['a text of 2,001 characters', 'message_too_long', sendMessage, send({ message: '\u{1f600}'.repeat(2_001) })],
  ['a text with a bell', 'message_control_character', sendMessage, send({ message: '\u0007' })],
  ['a lone surrogate', 'message_not_unicode', sendMessage, send({ message: 'a\ud83d' })],
  ['an answer to what is no message id', 'reply_to_unknown', sendMessage, send({ replyTo: 'x' })],
  ['joining a room that does not exist', 'room_not_found', joinRoom, () => ({ roomId: "'; drop table rooms; --" })],
  ['sending to a room that does not exist', 'room_not_found', sendMessage, () => ({ roomId: '<b>', message: 'x' })],
  ['typing in a room that was not joined', 'not_a_member', typing, ({ roomId }) => ({ roomId })],
  ['a token of somebody else', 'token_of_another_user', auth, ({ strangerToken }) => ({ token: strangerToken })],
];

const RAW: RawCase[] = [
  ['a text that is no JSON', 'malformed_frame', '{"event":'],
  ['an array', 'malformed_frame', '[]'],
  ['null', 'malformed_frame', 'null'],
  ['an object without an event', 'malformed_frame', '{"data":{}}'],
  ['an event that is a number', 'malformed_frame', '{"event":5}'],
  ['a ref that is an object', 'malformed_frame', '{"event":"typing","data":{},"ref":{}}'],
  ['a field beside the frame', 'malformed_frame', '{"event":"typing","data":{},"admin":true}'],
  ['deeply nested JSON', 'invalid_request', `{"event":"typing","data":${'['.repeat(5_000)}${']'.repeat(5_000)}}`],
];

const CLOSED: ClosedCase[] = [
  ['a binary frame', 'unsupportedData', ({ socket }) => socket.send(Buffer.from('{"event":"typing"}'))],
  ['a frame of 10 MB', 'frameTooBig', ({ socket }) => socket.send('x'.repeat(10_000_000))],
  [
    'a hundred frames that are none',
    'tooManyBadFrames',
    ({ socket }) => {
      for (let n = 0; n < 100; n++) socket.send('?');
    },
  ],
  [
    '10,000 frames that are none, at once',
    'tooManyBadFrames',
    ({ socket }) => {
      for (let n = 0; n < 10_000; n++) socket.send('{');
    },
  ],
];

const FLOOD = 10_000;

export function describeBadFrames(getWay: GetWay): void {
  describe('bad frames', () => {
    let fixture: Fixture;
    let firstVersion = 0;

    before(async () => {
      const way = getWay();
      const operator = newUser(way, 'operator', true);
      const room = await way.rest.createRoom(operator.token);
      fixture = { way, token: operator.token, strangerToken: newUser(way, 'stranger').token, roomId: room.id };
      firstVersion = (await way.rest.send(operator.token, room.id, 'the first')).version;
    });

    for (const [what, code, event, data] of REFUSED) {
      it(`${what} is ${code}, over ws and socket.io`, async () => {
        const socket = await openSocket(fixture.way.socketUrl, fixture.token);
        const { error } = await socket.answer(event, data(fixture));
        assert.ok(error, 'it was not refused');
        assert.equal(error.code, code);
        assertNoInternals(error.message);
        await socket.close();
        assert.equal(await refusalBySocketIo(fixture, event, data(fixture)), code);
      });
    }

    for (const [what, code, raw] of RAW) {
      it(`${what} is ${code}`, async () => {
        const socket = await openSocket(fixture.way.socketUrl, fixture.token);
        socket.socket.send(raw);
        const { code: got } = await socket.next<{ code: string }>(SERVER_FRAMES.error);
        assert.equal(got, code);
        await socket.close();
      });
    }

    for (const [what, close, act] of CLOSED) {
      it(`${what} closes the socket with ${CLOSE_CODES[close].code}`, async () => {
        const socket = await openSocket(fixture.way.socketUrl, fixture.token);
        act(socket, fixture);
        assert.equal((await socket.closed()).code, CLOSE_CODES[close].code);
      });
    }

    it('10,000 messages of one user at once are each answered, the most of them with rate_limited', async () => {
      const user = newUser(fixture.way, 'eager');
      const room = await fixture.way.rest.createRoom(user.token);
      const socket = await openSocket(fixture.way.socketUrl, user.token);
      const data = { roomId: room.id, message: 'x' };
      const answers = await Promise.all(Array.from({ length: FLOOD }, () => socket.answer(sendMessage, data)));
      const codes = new Map<string, number>();
      for (const { error } of answers) codes.set(error?.code ?? 'ok', (codes.get(error?.code ?? 'ok') ?? 0) + 1);
      assert.ok((codes.get('rate_limited') ?? 0) > FLOOD / 2, JSON.stringify([...codes]));
      assert.deepEqual(
        [...codes.keys()].filter((code) => !['ok', 'rate_limited', 'busy'].includes(code)),
        [],
      );
      await socket.close();
    });

    it('10,000 frames without an answer do not keep others waiting', async () => {
      const socket = await openSocket(fixture.way.socketUrl, newUser(fixture.way, 'eager').token);
      for (let n = 0; n < FLOOD; n++) socket.emit(typing, { roomId: fixture.roomId });
      const other = await openSocket(fixture.way.socketUrl, fixture.token);
      await other.ask(joinRoom, { roomId: fixture.roomId });
      await other.close();
      socket.socket.terminate();
    });

    it('binary data over socket.io closes it, or is refused', async () => {
      const socket = connect(fixture);
      const ended = new Promise<void>((resolve) => {
        socket.once('disconnect', () => resolve());
      });
      socket.emit(sendMessage, { roomId: fixture.roomId, message: Buffer.alloc(100_000) });
      await ended;
    });

    it('have written nothing, and everything works as before', async () => {
      const { way, token, roomId } = fixture;
      const last = await way.rest.send(token, roomId, 'the second');
      assert.equal(last.version, firstVersion + 1);
      assert.ok(way.processes().every(({ isRunning }) => isRunning));
    });
  });
}

function connect({ way, token }: Fixture) {
  const url = way.socketUrl.replace('ws:', 'http:');
  return openSocketIo(url, { transports: ['websocket'], auth: { token } });
}

async function refusalBySocketIo(fixture: Fixture, event: string, data: unknown): Promise<string | undefined> {
  const socket = connect(fixture);
  const answer = (await socket.timeout(10_000).emitWithAck(event, ...(data === undefined ? [] : [data]))) as {
    error?: { code: string };
  };
  socket.disconnect();
  return answer.error?.code;
}
