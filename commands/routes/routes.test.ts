import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { EventLog } from '../../event-log/event-log.ts';
import { openMemoryEventLog } from '../../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../../event-log/memory/memory-store.ts';
import { signToken } from '../../platform/auth.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { messageView } from '../../schemas/views.ts';
import {
  ask,
  type CommandsServer,
  JWT_SECRET,
  openCommandsServer,
  type Reply,
} from '../../tests/support/commands-server.ts';
import { eventsOf } from '../../tests/support/write-side.ts';
import { messageIdOf } from '../client/message-id.ts';

const NO_ROOM = '0199c0de-0000-7000-8000-00000000dead';

describe('the REST routes of the write side', () => {
  let log: EventLog;
  let server: CommandsServer;

  beforeEach(async () => {
    log = openMemoryEventLog(new MemoryStore(4)).log;
    server = await openCommandsServer(log);
  });

  afterEach(async () => {
    await server.close();
    await log.close();
  });

  async function createRoom(more: object = {}, user = 'ada'): Promise<string> {
    const reply = await server.post('/api/v1/chatroom/create', { roomid: 'plaza', name: 'Lobby', ...more }, user);
    assert.equal(reply.status, 201, reply.text);
    return String((reply.body.chatroom as { id: string }).id);
  }

  function assertProblem(reply: Reply, status: number, code: string): void {
    assert.equal(reply.status, status, reply.text);
    assert.equal(reply.body.code, code, reply.text);
    assert.match(reply.headers.get('content-type') ?? '', /^application\/problem\+json/);
    assert.doesNotMatch(reply.text, /stack|node_modules|\.ts:/);
  }

  it('CMD-60 creating answers 201 with the room and its position', async () => {
    const reply = await server.post('/api/v1/chatroom/create', {
      roomid: 'plaza',
      name: 'Lobby',
      description: 'Where all meet',
      isPrivate: true,
    });
    assert.equal(reply.status, 201);
    const [found] = await eventsOf(log);
    assert.ok(found?.event.type === 'RoomCreated');
    assert.deepEqual(reply.body, {
      chatroom: {
        id: found.event.roomId,
        name: 'Lobby',
        description: 'Where all meet',
        roomid: 'plaza',
        spaceId: 'plaza',
        isPrivate: true,
        ownerId: 'ada',
        memberCount: 1,
        archived: false,
        createdAt: new Date(found.event.metadata.occurredAt).toISOString(),
        version: 1,
      },
      position: `${found.partition}-${found.offset}`,
    });
  });

  it('CMD-61 joining, leaving, inviting, changing and archiving answer with success, version, position and changed', async () => {
    const chatroomId = await createRoom();
    const steps = [
      ['join', {}, 'bob', 2, true],
      ['join', {}, 'bob', 2, false],
      ['invite', { userId: 'eve' }, 'bob', 3, true],
      ['update', { name: 'Attic' }, 'ada', 4, true],
      ['leave', {}, 'bob', 5, true],
      ['leave', {}, 'bob', 5, false],
      ['archive', {}, 'ada', 6, true],
    ] as const;
    for (const [path, more, user, version, changed] of steps) {
      const reply = await server.post(`/api/v1/chatroom/${path}`, { chatroomId, ...more }, user);
      assert.equal(reply.status, 200, reply.text);
      const { position, ...rest } = reply.body;
      assert.deepEqual(rest, { success: true, chatroomId, version, changed });
      const found = (await eventsOf(log)).at(-1);
      assert.equal(position, `${found?.partition}-${found?.offset}`);
    }
  });

  it('CMD-62 sending answers 201 with the message as every reader sees it', async () => {
    const chatroomId = await createRoom();
    const reply = await server.post('/api/v1/messages', { chatroomId, message: ' <b>hi</b>\n' });
    assert.equal(reply.status, 201);
    const found = (await eventsOf(log)).at(-1);
    assert.ok(found?.event.type === 'MessageSent');
    assert.deepEqual(reply.body, { message: messageView(found.event), position: `${found.partition}-${found.offset}` });
    assert.equal(found.event.text, ' <b>hi</b>\n');
    assert.equal(found.event.metadata.correlationId, reply.headers.get('x-request-id'));
  });

  it('CMD-63 a repeated request with a commandId gets the first answer to the letter, and does nothing', async () => {
    const create = { roomid: 'plaza', name: 'Lobby', commandId: 'make it' };
    const [made, madeAgain] = [
      await server.post('/api/v1/chatroom/create', create),
      await server.post('/api/v1/chatroom/create', create),
    ];
    assert.equal(made.status, 201);
    assert.deepEqual(madeAgain.body, made.body);
    const chatroomId = String((made.body.chatroom as { id: string }).id);
    const send = { chatroomId, message: 'once', commandId: 'say it' };
    const first = await server.post('/api/v1/messages', send);
    await server.post('/api/v1/messages', { chatroomId, message: 'another' });
    const again = await server.post('/api/v1/messages', send);
    assert.deepEqual([again.status, again.body], [201, first.body]);
    assert.equal(
      (first.body.message as { id: string }).id,
      messageIdOf({ roomId: chatroomId, userId: 'ada', commandId: 'say it' }),
    );
    assert.equal((await eventsOf(log)).length, 3);
  });

  it('CMD-64 an operator acts for others and gives original times; both users stand in the event', async () => {
    const chatroomId = await createRoom({ onBehalfOf: { userId: 'ada', username: 'Ada' } }, 'operator');
    const onBehalfOf = { userId: 'bob', username: 'Bob' };
    assert.equal((await server.post('/api/v1/chatroom/join', { chatroomId, onBehalfOf }, 'operator')).status, 200);
    const said = { chatroomId, message: 'old', originalTime: '2008-01-02T03:04:00Z', onBehalfOf };
    const reply = await server.post('/api/v1/messages', said, 'operator');
    assert.equal(reply.status, 201, reply.text);
    assert.partialDeepStrictEqual(reply.body, {
      message: { userId: 'bob', username: 'Bob', originalTime: '2008-01-02T03:04:00.000Z' },
    });
    const found = (await eventsOf(log)).at(-1);
    assert.deepEqual(found?.event.metadata.actor, { userId: 'operator', username: 'OPERATOR' });
    assert.deepEqual(found.event.metadata.onBehalfOf, onBehalfOf);
    assertProblem(await server.post('/api/v1/messages', said, 'ada'), 403, 'operator_only');
  });

  it('CMD-65 every refusal has its status and code, and nothing is written', async () => {
    const open = await createRoom();
    const hidden = await createRoom({ isPrivate: true });
    const closed = await createRoom();
    await server.post('/api/v1/chatroom/archive', { chatroomId: closed });
    const before = (await eventsOf(log)).length;
    const send = (message: unknown, more: object = {}) => ['/api/v1/messages', { chatroomId: open, message, ...more }];
    const cases: [number, string, string, unknown, (string | null)?][] = [
      [404, 'room_not_found', '/api/v1/chatroom/join', { chatroomId: NO_ROOM }],
      [404, 'room_not_found', '/api/v1/messages', { chatroomId: NO_ROOM, message: 'x' }],
      [403, 'not_invited', '/api/v1/chatroom/join', { chatroomId: hidden }, 'eve'],
      [403, 'not_a_member', '/api/v1/messages', { chatroomId: hidden, message: 'x' }, 'eve'],
      [403, 'not_a_member', '/api/v1/chatroom/invite', { chatroomId: open, userId: 'x' }, 'eve'],
      [403, 'owner_only', '/api/v1/chatroom/update', { chatroomId: open, name: 'x' }, 'eve'],
      [403, 'owner_only', '/api/v1/chatroom/archive', { chatroomId: open }, 'eve'],
      [403, 'operator_only', '/api/v1/chatroom/join', { chatroomId: open, onBehalfOf: { userId: 'a', username: 'A' } }],
      [409, 'room_archived', '/api/v1/chatroom/join', { chatroomId: closed }, 'eve'],
      [409, 'room_archived', '/api/v1/messages', { chatroomId: closed, message: 'x' }],
      [400, 'message_empty', ...(send('') as [string, unknown])],
      [400, 'message_too_long', ...(send('x'.repeat(LIMITS.messageCodePoints + 1)) as [string, unknown])],
      [400, 'message_control_character', ...(send('\u0000') as [string, unknown])],
      [400, 'message_not_unicode', '/api/v1/messages', `{"chatroomId":"${open}","message":"\\ud800"}`],
      [400, 'reply_to_unknown', ...(send('x', { replyTo: 'no id' }) as [string, unknown])],
      [400, 'invalid_request', ...(send(42) as [string, unknown])],
      [400, 'invalid_request', ...(send('x', { unknown: 1 }) as [string, unknown])],
      [400, 'invalid_request', ...(send('x', { originalTime: 'yesterday' }) as [string, unknown])],
      [400, 'invalid_request', '/api/v1/messages', []],
      [400, 'invalid_request', '/api/v1/messages', ''],
      [400, 'invalid_request', '/api/v1/chatroom/create', { roomid: 'plaza', name: '' }],
      [400, 'invalid_request', '/api/v1/chatroom/create', { roomid: 'plaza', name: 'x'.repeat(101) }],
      [400, 'invalid_request', '/api/v1/chatroom/create', { roomid: 'plaza', name: 'a\u0007' }],
      [400, 'invalid_request', '/api/v1/chatroom/update', { chatroomId: open }],
      [400, 'malformed_json', '/api/v1/messages', '{"chatroomId":'],
      [413, 'body_too_large', '/api/v1/messages', JSON.stringify({ message: 'x'.repeat(LIMITS.httpBodyBytes) })],
      [401, 'token_missing', '/api/v1/messages', {}, null],
      [404, 'not_found', '/api/v1/chatroom/burn', {}],
    ];
    for (const [status, code, path, body, user] of cases)
      assertProblem(await server.post(path, body, user), status, code);
    assert.equal((await eventsOf(log)).length, before);
  });

  it('refuses bad tokens, other bodies and other methods', async () => {
    const url = `${server.url}/api/v1/messages`;
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    const bad = [
      ['token_invalid', signToken({ userId: 'ada' }, 'another secret', 60)],
      ['token_expired', signToken({ userId: 'ada' }, JWT_SECRET, -60)],
      ['token_invalid', `${none}.${Buffer.from('{"sub":"ada","exp":99999999999}').toString('base64url')}.`],
    ] as const;
    for (const [code, token] of bad) {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      assertProblem(await ask(url, { method: 'POST', headers, body: '{}' }), 401, code);
    }
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    assertProblem(await ask(url, { method: 'POST', headers, body: 'a=b' }), 415, 'unsupported_media_type');
    assertProblem(await ask(url, { method: 'PUT' }), 405, 'method_not_allowed');
  });

  it('CMD-66 limits a user’s writes with rate_limited and Retry-After, and never an operator’s', async () => {
    await server.close();
    server = await openCommandsServer(log, { rateLimit: { perSecond: 1, burst: 3 } });
    const join = (user: string) => server.post('/api/v1/chatroom/join', { chatroomId: NO_ROOM }, user);
    for (let call = 0; call < 3; call++) assertProblem(await join('bob'), 404, 'room_not_found');
    const limited = await join('bob');
    assertProblem(limited, 429, 'rate_limited');
    assert.match(limited.headers.get('retry-after') ?? '', /^[123]$/);
    for (let call = 0; call < 6; call++) assertProblem(await join('operator'), 404, 'room_not_found');
    assertProblem(await join('ada'), 404, 'room_not_found');
  });

  it('shows its dependencies in /ready and its figures in /metrics', async () => {
    await createRoom();
    const ready = await server.get('/ready');
    assert.deepEqual(ready.body.checks, {
      'command log': { ok: true },
      'command partitions': { ok: true },
      'command streams': { ok: true },
    });
    assert.match((await server.get('/metrics')).text, /roomlog_commands_accepted_total\{changed="true"\} 1/);
  });
});
