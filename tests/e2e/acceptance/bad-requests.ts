// Bad input over REST: every line of the table gets its documented code, shows nothing of the inside, and writes nothing.
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import jwt from 'jsonwebtoken';
import { before, describe, it } from 'mocha';
import { LIMITS } from '../../../schemas/limits.ts';
import { REJECTIONS, type RejectionCode } from '../../../schemas/rejections.ts';
import { type Answer, assertProblem } from '../support/rest.ts';
import { newUser, type Way } from '../support/way.ts';
import type { GetWay } from './acceptance.ts';

type Fixture = {
  way: Way;
  /** An operator, who is exempt from the rate limit, and member of the room. */
  token: string;
  /** Somebody without rights. */
  stranger: string;
  roomId: string;
  privateRoomId: string;
};
type Case = [what: string, code: RejectionCode, ask: (fixture: Fixture) => Promise<Answer<{ code?: unknown }>>];

const SEND = '/api/v1/messages';
const CREATE = '/api/v1/chatroom/create';
const JOIN = '/api/v1/chatroom/join';
const EVIL = ["'; drop table messages; --", '<script>alert(1)</script>', '../../etc/passwd', '%00', '{{7*7}}', '\\x00'];

const post =
  (path: string, body: unknown): Case[2] =>
  ({ way, token }) =>
    way.rest.call('POST', path, { token, body });
const postRaw =
  (path: string, rawBody: string | Buffer, headers: Record<string, string> = {}): Case[2] =>
  ({ way, token }) =>
    way.rest.call('POST', path, { token, rawBody, headers });
const get =
  (path: string, headers: Record<string, string> = {}): Case[2] =>
  ({ way, token }) =>
    way.rest.call('GET', path, { token, headers });
const withToken =
  (make: (fixture: Fixture) => string | undefined): Case[2] =>
  (fixture) =>
    fixture.way.rest.call('POST', SEND, { token: make(fixture), body: { chatroomId: fixture.roomId, message: 'x' } });
const send =
  (fields: object): Case[2] =>
  (fixture) =>
    post(SEND, { chatroomId: fixture.roomId, message: 'x', ...fields })(fixture);
const sendRaw =
  (message: string): Case[2] =>
  (fixture) =>
    postRaw(SEND, `{"chatroomId":"${fixture.roomId}","message":${message}}`)(fixture);
const history =
  (query: string): Case[2] =>
  (fixture) =>
    get(`${SEND}?chatroomId=${fixture.roomId}&${query}`)(fixture);
const stranger =
  (path: string, body: (fixture: Fixture) => object): Case[2] =>
  (fixture) =>
    fixture.way.rest.call('POST', path, { token: fixture.stranger, body: body(fixture) });

const inAnHour = () => Math.floor(Date.now() / 1_000) + 3_600;

const CASES: Case[] = [
  ['a body that is no JSON', 'malformed_json', postRaw(SEND, '{"chatroomId":')],
  [
    'a body with bytes that are no UTF-8 text of JSON',
    'malformed_json',
    postRaw(SEND, Buffer.from([0xff, 0xfe, 0x00])),
  ],
  [
    'a body of another type',
    'unsupported_media_type',
    postRaw(SEND, 'a=1', { 'content-type': 'application/x-www-form-urlencoded' }),
  ],
  ['JSON that calls itself text', 'unsupported_media_type', postRaw(SEND, '{}', { 'content-type': 'text/plain' })],
  [
    'a body of 10 MB',
    'body_too_large',
    ({ way, token, roomId }) =>
      way.rest.call('POST', SEND, { token, body: { chatroomId: roomId, message: 'x'.repeat(10_000_000) } }),
  ],
  [
    'a small body that unpacks to 10 MB',
    'body_too_large',
    postRaw(SEND, gzipSync(JSON.stringify({ message: 'x'.repeat(10_000_000) })), { 'content-encoding': 'gzip' }),
  ],
  ['no body', 'invalid_request', ({ way, token }) => way.rest.call('POST', SEND, { token })],
  [
    'a body that is null',
    'invalid_request',
    ({ way, token }) => way.rest.call('POST', SEND, { token, rawBody: '{"chatroomId":null}' }),
  ],
  ['a body that is an array', 'invalid_request', postRaw(SEND, '[]')],
  ['deeply nested JSON', 'invalid_request', postRaw(SEND, `{"chatroomId":${'['.repeat(5_000)}${']'.repeat(5_000)}}`)],
  ['a number for a text', 'invalid_request', send({ message: 5 })],
  ['an object for an id', 'invalid_request', send({ chatroomId: { $ne: null } })],
  ['an array for an id', 'invalid_request', send({ chatroomId: ['a', 'b'] })],
  ['an unknown field', 'invalid_request', send({ surprise: true })],
  ['a prototype for a field', 'invalid_request', sendRaw('"x","constructor":{"prototype":{"admin":true}}')],
  ['an empty id', 'invalid_request', send({ chatroomId: '' })],
  ['an id that is too long', 'invalid_request', send({ chatroomId: 'x'.repeat(LIMITS.idCodePoints + 1) })],
  ['an id with a NUL', 'invalid_request', send({ chatroomId: 'a\0b' })],
  ['a command id that is too long', 'invalid_request', send({ commandId: 'x'.repeat(LIMITS.idCodePoints + 1) })],
  ['a command id that is a lone surrogate', 'invalid_request', sendRaw('"x","commandId":"\\ud800"')],
  ['a time that is none', 'invalid_request', send({ originalTime: 'yesterday' })],
  ['an empty text', 'message_empty', send({ message: '' })],
  ['a text of 2,001 characters', 'message_too_long', send({ message: '\u{1f600}'.repeat(2_001) })],
  ['a text with a bell', 'message_control_character', send({ message: 'ding \u0007' })],
  ['a text with a NUL', 'message_control_character', send({ message: 'a\0b' })],
  ['a text with a carriage return', 'message_control_character', send({ message: 'a\r\nb' })],
  ['a lone surrogate', 'message_not_unicode', sendRaw('"\\ud83d"')],
  ['surrogates in the wrong order', 'message_not_unicode', sendRaw('"\\ude00\\ud83d"')],
  ['an answer to what is no message id', 'reply_to_unknown', send({ replyTo: "'; drop table messages; --" })],
  ['a room without a name', 'invalid_request', post(CREATE, { roomid: 'plaza' })],
  ['a room without a space', 'invalid_request', post(CREATE, { name: 'x' })],
  [
    'a room with too long a name',
    'invalid_request',
    post(CREATE, { roomid: 'plaza', name: 'x'.repeat(LIMITS.roomNameCodePoints + 1) }),
  ],
  ['a room with a line break in its name', 'invalid_request', post(CREATE, { roomid: 'plaza', name: 'a\nb' })],
  ['a room that is private perhaps', 'invalid_request', post(CREATE, { roomid: 'plaza', name: 'x', isPrivate: 'yes' })],
  ['sending to a room that does not exist', 'room_not_found', send({ chatroomId: 'no-such-room' })],
  ['joining a room that does not exist', 'room_not_found', post(JOIN, { chatroomId: 'no-such-room' })],
  [
    'leaving a room that does not exist',
    'room_not_found',
    post('/api/v1/chatroom/leave', { chatroomId: 'no-such-room' }),
  ],
  ['the history of a room that does not exist', 'room_not_found', get(`${SEND}?chatroomId=no-such-room`)],
  [
    'activity in a room that does not exist',
    'room_not_found',
    post('/api/v1/messages/active', { chatroomId: 'no-such-room' }),
  ],
  ...EVIL.map((text): Case => [`an id that is ${text}`, 'room_not_found', send({ chatroomId: text })]),
  ...EVIL.map(
    (text): Case => [
      `a query that is ${text}`,
      'room_not_found',
      get(`${SEND}?${new URLSearchParams({ chatroomId: text })}`),
    ],
  ),
  ['a private room one is not invited to', 'not_invited', stranger(JOIN, (f) => ({ chatroomId: f.privateRoomId }))],
  ['speaking in a room one is not in', 'not_a_member', stranger(SEND, (f) => ({ chatroomId: f.roomId, message: 'x' }))],
  [
    'acting for somebody else',
    'operator_only',
    stranger(SEND, (f) => ({ chatroomId: f.roomId, message: 'x', onBehalfOf: { userId: 'a', username: 'a' } })),
  ],
  [
    "a time of one's own",
    'operator_only',
    stranger(SEND, (f) => ({ chatroomId: f.roomId, message: 'x', originalTime: '2004-12-25T07:33:00Z' })),
  ],
  [
    'changing a room of somebody else',
    'owner_only',
    stranger('/api/v1/chatroom/update', (f) => ({ chatroomId: f.roomId, name: 'mine' })),
  ],
  [
    'a change that changes nothing',
    'invalid_request',
    (f) => post('/api/v1/chatroom/update', { chatroomId: f.roomId })(f),
  ],
  ['a page of nothing', 'invalid_request', history('limit=0')],
  ['a page that is too large', 'invalid_request', history('limit=101')],
  ['a page of abc', 'invalid_request', history('limit=abc')],
  ['a cursor that is none', 'invalid_request', history("before='; select 1 --")],
  ['a history without a room', 'invalid_request', get(SEND)],
  ['a list without a space', 'invalid_request', get('/api/v1/chatroom/rooms')],
  [
    'a position that is none',
    'invalid_request',
    (f) => get(`${SEND}?chatroomId=${f.roomId}`, { 'x-min-position': 'abc' })(f),
  ],
  [
    'a position that nobody has reached',
    'projection_behind',
    (f) => get(`${SEND}?chatroomId=${f.roomId}`, { 'x-min-position': '0-999999999999' })(f),
  ],
  ['no token', 'token_missing', withToken(() => undefined)],
  ['a token that is none', 'token_invalid', withToken(() => 'abc.def.ghi')],
  [
    'a token that is signed by somebody else',
    'token_invalid',
    withToken(() => jwt.sign({ sub: 'a', exp: inAnHour() }, 'guess')),
  ],
  [
    'a token that is not signed',
    'token_invalid',
    withToken(() => unsigned({ sub: 'a', role: 'platform-admin', exp: inAnHour() })),
  ],
  ['a token for ever', 'token_invalid', withToken(({ way }) => jwt.sign({ sub: 'a' }, way.secret))],
  ['a token of nobody', 'token_invalid', withToken(({ way }) => jwt.sign({ exp: inAnHour() }, way.secret))],
  ['a token that has expired', 'token_expired', withToken(({ way }) => jwt.sign({ sub: 'a', exp: 1_000 }, way.secret))],
  ['an address that is none', 'not_found', get('/api/v1/nothing')],
  ['an address that climbs', 'not_found', get('/..%2f..%2fetc%2fpasswd')],
  ['an address that cannot be decoded', 'not_found', get('/api/v1/%E0%A4%A')],
  ['a method that is none', 'method_not_allowed', ({ way, token }) => way.rest.call('DELETE', SEND, { token })],
];

export function describeBadRequests(getWay: GetWay): void {
  describe('bad requests', () => {
    let fixture: Fixture;
    let firstVersion = 0;

    before(async () => {
      const way = getWay();
      const operator = newUser(way, 'operator', true);
      const room = await way.rest.createRoom(operator.token);
      const secret = await way.rest.createRoom(operator.token, { isPrivate: true });
      const { token: stranger } = newUser(way, 'stranger');
      fixture = { way, token: operator.token, stranger, roomId: room.id, privateRoomId: secret.id };
      firstVersion = (await way.rest.send(operator.token, room.id, 'the first')).version;
    });

    for (const [what, code, ask] of CASES) {
      it(`${what} is ${code}`, async () => {
        const answer = await ask(fixture);
        assertProblem(answer, REJECTIONS[code].status, code);
        if (answer.status === 503) assert.ok(Number(answer.headers.get('retry-after')) >= 1);
      });
    }

    it('have written nothing, and everything works as before', async () => {
      const { way, token, roomId } = fixture;
      const last = await way.rest.send(token, roomId, 'the second');
      assert.equal(last.version, firstVersion + 1);
      const { messages } = await way.rest.history(token, roomId, {}, last.position);
      assert.deepEqual(
        messages.map(({ message }) => message),
        ['the first', 'the second'],
      );
      assert.ok(way.processes().every(({ isRunning }) => isRunning));
    });
  });
}

function unsigned(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.`;
}
