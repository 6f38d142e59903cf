import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import type { ChatEvent } from '../schemas/generated/events.ts';
import type { RoomView } from '../schemas/wire.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import { openReadApiHarness, type ReadApiHarness } from '../tests/support/read-api-harness.ts';

const ADA = { userId: 'ada' };
const BOB = { userId: 'bob' };
const OPERATOR = { userId: 'op', isOperator: true };

function createRoom(
  roomId: string,
  spaceId: string,
  options: { isPrivate?: boolean; members?: string[] } = {},
): ChatEvent[] {
  const room = roomHistory(roomId);
  const { isPrivate = false, members = [] } = options;
  const created = { type: 'RoomCreated' as const, spaceId, name: `Room ${roomId}`, description: 'd', isPrivate };
  return [room.next('ada', created), ...members.map((member) => room.next(member, made.joined(member)))];
}

describe('reading rooms', () => {
  let api: ReadApiHarness;

  before(async () => {
    api = await openReadApiHarness();
    await api.project([
      ...createRoom('open', 'plaza', { members: ['bob', 'cy'] }),
      ...createRoom('secret', 'plaza', { isPrivate: true }),
      ...createRoom('shared-secret', 'plaza', { isPrivate: true, members: ['bob'] }),
      ...createRoom('elsewhere', 'harbour'),
      ...Array.from({ length: 7 }, (_, at) => createRoom(`many-${at}`, 'hall', { isPrivate: at === 3 })).flat(),
    ]);
  });

  after(() => api.close());

  const idsOf = (body: Record<string, unknown>): string[] => (body.chatrooms as RoomView[]).map(({ id }) => id);

  it('READ-1 lists the public rooms of a space and the private ones the caller is in', async () => {
    const path = '/api/v1/chatroom/rooms?spaceId=plaza';
    assert.deepEqual(idsOf((await api.get(path, BOB)).body), ['open', 'shared-secret']);
    assert.deepEqual(idsOf((await api.get(path, ADA)).body), ['open', 'secret', 'shared-secret']);
    assert.deepEqual(idsOf((await api.get(path, { userId: 'nobody' })).body), ['open']);
    assert.deepEqual(idsOf((await api.get(path, OPERATOR)).body), ['open', 'secret', 'shared-secret']);
  });

  it('READ-1 shows a room as it is', async () => {
    const { body } = await api.get('/api/v1/chatroom/rooms?spaceId=harbour', BOB);
    assert.partialDeepStrictEqual(body, {
      chatrooms: [
        {
          id: 'elsewhere',
          name: 'Room elsewhere',
          description: 'd',
          roomid: 'harbour',
          spaceId: 'harbour',
          isPrivate: false,
          ownerId: 'ada',
          memberCount: 1,
          archived: false,
          version: 1,
        },
      ],
    });
    assert.equal('nextCursor' in body, false);
  });

  it('READ-2 leads through all rooms of a space, each once, in the order in which they were made', async () => {
    const seen: string[] = [];
    let cursor = '';
    do {
      const { status, body } = await api.get(`/api/v1/chatroom/rooms?spaceId=hall&limit=2${cursor}`, BOB);
      assert.equal(status, 200);
      seen.push(...idsOf(body));
      cursor = body.nextCursor === undefined ? '' : `&cursor=${String(body.nextCursor)}`;
    } while (cursor !== '');
    assert.deepEqual(
      seen,
      [0, 1, 2, 4, 5, 6].map((at) => `many-${at}`),
    );
  });

  it('READ-3 hides a private room from who is not in it', async () => {
    const path = '/api/v1/chatroom/secret';
    const outsider = await api.get(path, BOB);
    const missing = await api.get('/api/v1/chatroom/there-is-none', BOB);
    assert.deepEqual([outsider.status, outsider.body.code], [404, 'room_not_found']);
    assert.deepEqual([missing.status, missing.body.code], [404, 'room_not_found']);
    assert.equal((await api.get('/api/v1/chatroom/members?chatroomId=secret', BOB)).body.code, 'room_not_found');
    assert.equal((await api.get(path, ADA)).status, 200);
    assert.equal((await api.get(path, OPERATOR)).status, 200);
  });

  it('READ-3 shows a public room to everybody with a token', async () => {
    const { status, body } = await api.get('/api/v1/chatroom/open', { userId: 'nobody' });
    assert.equal(status, 200);
    assert.partialDeepStrictEqual(body, { chatroom: { id: 'open', memberCount: 3 } });
    assert.equal((await api.get('/api/v1/chatroom/open', null)).body.code, 'token_missing');
  });

  it('READ-4 lists the members in pages, and who of them is active', async () => {
    assert.equal((await api.post('/api/v1/messages/active', BOB, { chatroomId: 'open' })).status, 200);
    const first = await api.get('/api/v1/chatroom/members?chatroomId=open&limit=2', ADA);
    assert.partialDeepStrictEqual(first.body, {
      members: [
        { userId: 'ada', username: 'the ada', role: 'owner', active: false },
        { userId: 'bob', username: 'the bob', role: 'member', active: true },
      ],
    });
    const cursor = String(first.body.nextCursor);
    const second = await api.get(`/api/v1/chatroom/members?chatroomId=open&limit=2&cursor=${cursor}`, ADA);
    assert.partialDeepStrictEqual(second.body, { members: [{ userId: 'cy', active: false }] });
    assert.equal('nextCursor' in second.body, false);
  });

  it('READ-12 marks members as active, nobody else', async () => {
    const mark = async (caller: { userId: string }, body: unknown) => {
      const { status, body: answer } = await api.post('/api/v1/messages/active', caller, body);
      return [status, answer.code];
    };
    assert.deepEqual(await mark(BOB, { chatroomId: 'secret' }), [403, 'not_a_member']);
    assert.deepEqual(await mark(BOB, { chatroomId: 'there-is-none' }), [404, 'room_not_found']);
    assert.deepEqual(await mark(BOB, { chatroomId: 'open', more: 1 }), [400, 'invalid_request']);
    assert.deepEqual(await mark(BOB, {}), [400, 'invalid_request']);
  });

  const BAD_QUERIES = [
    '/api/v1/chatroom/rooms',
    '/api/v1/chatroom/rooms?spaceId=',
    '/api/v1/chatroom/rooms?spaceId=plaza&spaceId=hall',
    '/api/v1/chatroom/rooms?spaceId=plaza&page=2',
    '/api/v1/chatroom/rooms?spaceId=plaza&roomid=plaza',
    '/api/v1/chatroom/rooms?spaceId=plaza&limit=0',
    '/api/v1/chatroom/rooms?spaceId=plaza&limit=101',
    '/api/v1/chatroom/rooms?spaceId=plaza&limit=ten',
    '/api/v1/chatroom/rooms?spaceId=plaza&cursor=x',
    '/api/v1/chatroom/rooms?spaceId=plaza&cursor=W10',
    '/api/v1/chatroom/rooms?spaceId=plaza&cursor=WyJhIiwiYiJd',
    `/api/v1/chatroom/rooms?spaceId=${'x'.repeat(201)}`,
    '/api/v1/chatroom/rooms?spaceId=%00',
    '/api/v1/chatroom/open?verbose=1',
    '/api/v1/chatroom/%00',
    '/api/v1/chatroom/members',
    '/api/v1/chatroom/members?chatroomId=open&cursor=e30',
  ];
  for (const path of BAD_QUERIES) {
    it(`READ-8 refuses ${path.slice(0, 80)}`, async () => {
      const { status, body, headers } = await api.get(path, ADA);
      assert.deepEqual([status, body.code], [400, 'invalid_request']);
      assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/);
    });
  }

  it('READ-13 serves the page, and no file outside of its folder', async () => {
    const page = await api.getText('/');
    assert.equal(page.status, 200);
    assert.match(page.text, /<!doctype html>/i);
    for (const path of [
      '/../package.json',
      '/%2e%2e/package.json',
      '/..%2fpackage.json',
      '/.hidden',
      '/%00',
      '/none.js',
    ]) {
      const { status, text } = await api.getText(path);
      assert.deepEqual([path, status], [path, 404]);
      assert.doesNotMatch(text, /roomlog"/);
    }
  });

  it('answers other methods and addresses as documented', async () => {
    assert.equal((await api.post('/api/v1/chatroom/rooms', ADA, {})).body.code, 'method_not_allowed');
    assert.equal((await api.get('/api/v1/nothing', ADA)).body.code, 'not_found');
  });
});
