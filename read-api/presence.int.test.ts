// GET /api/v1/chatroom/{id}/presence over what socket nodes have put into the shared sets.
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import {
  createMemoryExpiringSets,
  type ExpiringSets,
  ExpiringSetsUnavailableError,
} from '../platform/expiring-sets.ts';
import { Problem } from '../platform/http-app.ts';
import { LIMITS } from '../schemas/limits.ts';
import { formatEntry, NODES_KEY, type PresentUser, presenceKey } from '../schemas/presence.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import { openReadApiHarness, type ReadApiHarness } from '../tests/support/read-api-harness.ts';
import { PresenceReader } from './presence-reader.ts';

const ADA = { userId: 'ada' };
const TTL_MS = 60_000;

function enter(sets: ExpiringSets, roomId: string, node: string, ...userIds: string[]): Promise<void> {
  const entries = userIds.map((userId) => formatEntry({ node, userId, username: `the ${userId}` }));
  return sets.addMany(presenceKey(roomId), entries, TTL_MS);
}

describe('who is present, over REST', () => {
  let api: ReadApiHarness;

  before(async () => {
    api = await openReadApiHarness();
    const make = (roomId: string, isPrivate: boolean) => {
      const room = roomHistory(roomId);
      const created = { type: 'RoomCreated' as const, spaceId: 'plaza', name: 'R', description: '', isPrivate };
      return [room.next('ada', created), room.next('bob', made.joined('bob'))];
    };
    await api.project([
      ...make('open', false),
      ...make('secret', true),
      ...make('crowd', false),
      ...make('empty', false),
    ]);
    await api.sets.add(NODES_KEY, 'one', TTL_MS);
    await api.sets.add(NODES_KEY, 'two', TTL_MS);
  });

  after(() => api.close());

  it('RT-60 answers who has a socket in the room, each user once, however many nodes', async () => {
    await enter(api.sets, 'open', 'one', 'bob', 'ada');
    await enter(api.sets, 'open', 'two', 'ada', 'cy');
    await enter(api.sets, 'secret', 'two', 'zoe');
    const { status, body, headers } = await api.get('/api/v1/chatroom/open/presence', ADA);
    const members = ['ada', 'bob', 'cy'].map((userId) => ({ userId, username: `the ${userId}` }));
    assert.deepEqual([status, body], [200, { count: 3, members }]);
    assert.match(headers.get('x-position') ?? '', /^\d+-\d+$/);
    assert.deepEqual((await api.get('/api/v1/chatroom/empty/presence', ADA)).body, { count: 0, members: [] });
  });

  it('RT-60 leads through all who are present in pages, each once', async () => {
    const userIds = Array.from({ length: 250 }, (_, index) => `u${index}`);
    await enter(api.sets, 'crowd', 'one', ...userIds);
    const seen: string[] = [];
    let cursor: unknown;
    do {
      const path = `/api/v1/chatroom/crowd/presence?${cursor === undefined ? '' : `cursor=${String(cursor)}`}`;
      const { body } = await api.get(path, ADA);
      assert.equal(body.count, 250);
      const page = body.members as PresentUser[];
      assert.ok(page.length <= LIMITS.pagePresent);
      seen.push(...page.map(({ userId }) => userId));
      cursor = body.nextCursor;
    } while (cursor !== undefined);
    assert.deepEqual(seen, [...userIds].sort());
    const few = await api.get('/api/v1/chatroom/crowd/presence?limit=2', ADA);
    assert.deepEqual(
      (few.body.members as PresentUser[]).map(({ userId }) => userId),
      ['u0', 'u1'],
    );
  });

  it('RT-60 is for members and operators, and hides private rooms', async () => {
    const codeFor = async (roomId: string, caller: { userId: string; isOperator?: boolean } | null) =>
      (await api.get(`/api/v1/chatroom/${roomId}/presence`, caller)).body.code;
    assert.deepEqual(
      [
        await codeFor('open', { userId: 'eve' }),
        await codeFor('secret', { userId: 'eve' }),
        await codeFor('none', ADA),
        await codeFor('open', null),
        await codeFor('secret', { userId: 'op', isOperator: true }),
        await codeFor('secret', { userId: 'bob' }),
      ],
      ['not_a_member', 'room_not_found', 'room_not_found', 'token_missing', undefined, undefined],
    );
  });

  for (const query of ['limit=0', 'limit=101', 'cursor=x', 'more=1', 'cursor=e30']) {
    it(`RT-60 refuses ?${query}`, async () => {
      const { status, body } = await api.get(`/api/v1/chatroom/open/presence?${query}`, ADA);
      assert.deepEqual([status, body.code], [400, 'invalid_request']);
    });
  }

  it('RT-60 RT-65 nobody of a node whose sign of life has gone counts', async () => {
    await api.sets.add(NODES_KEY, 'dying', 60);
    await enter(api.sets, 'empty', 'dying', 'ghost');
    await enter(api.sets, 'empty', 'one', 'ada');
    let count: unknown;
    do {
      await pause(20);
      count = (await api.get('/api/v1/chatroom/empty/presence', ADA)).body.count;
    } while (count !== 1);
    await api.sets.remove(NODES_KEY, 'dying');
  });
});

describe('reading who is present', () => {
  let now = 1_000_000;
  const clock = { now: () => now };

  it('RT-60 reads a room once a second however many ask, and never serves an older reading', async () => {
    const sets = createMemoryExpiringSets({ clock, maxMembers: 1_000 });
    let reads = 0;
    const members = (key: string): Promise<string[]> => {
      reads += 1;
      return sets.members(key);
    };
    const reader = new PresenceReader({ sets: { ...sets, members }, clock });
    await sets.add(NODES_KEY, 'one', TTL_MS);
    await enter(sets, 'r', 'one', 'ada');
    await Promise.all(Array.from({ length: 20 }, () => reader.page('r', '', 10)));
    assert.equal(reads, 2);
    await enter(sets, 'r', 'one', 'bob');
    now += 1_000;
    assert.equal((await reader.page('r', '', 10)).count, 2);
  });

  it('RT-60 says that it is unavailable while the sets cannot be reached, and answers when they can', async () => {
    const sets = createMemoryExpiringSets({ clock, maxMembers: 1_000 });
    let isAway = true;
    const members = (key: string): Promise<string[]> =>
      isAway ? Promise.reject(new ExpiringSetsUnavailableError('away')) : sets.members(key);
    const reader = new PresenceReader({ sets: { ...sets, members }, clock });
    await assert.rejects(reader.page('r', '', 10), (error) => error instanceof Problem && error.code === 'unavailable');
    isAway = false;
    assert.deepEqual(await reader.page('r', '', 10), { count: 0, members: [], hasMore: false });
  });
});
