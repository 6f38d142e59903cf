import assert from 'node:assert/strict';
import fc from 'fast-check';
import { after, before, describe, it } from 'mocha';
import { evolve, initialState, type RoomState } from '../commands/chatroom/state.ts';
import type { ChatEvent } from '../schemas/generated/events.ts';
import { LIMITS } from '../schemas/limits.ts';
import { messageView } from '../schemas/views.ts';
import type { MemberView, MessageView } from '../schemas/wire.ts';
import { arbitraryHistory } from '../tests/support/arbitraries.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import {
  type Answer,
  type Caller,
  openReadApiHarness,
  type ReadApiHarness,
} from '../tests/support/read-api-harness.ts';

const ADA = { userId: 'ada' };
const BOB = { userId: 'bob' };
const OPERATOR = { userId: 'op', isOperator: true };

describe('reading a room as it was', () => {
  let api: ReadApiHarness;
  const lobby = roomHistory('lobby');
  const events = [
    lobby.next('ada', made.room('Lobby')),
    lobby.next('bob', made.joined('bob')),
    lobby.next('bob', made.said('one')),
    lobby.next('ada', made.edited('Hall', 'wide')),
    lobby.next('bob', made.left('bob')),
    lobby.next('ada', made.said('two')),
    lobby.next('ada', made.said('three')),
  ];
  const timeOf = (version: number): number => events[version - 1]?.metadata.occurredAt ?? 0;

  before(async () => {
    api = await openReadApiHarness();
    const secret = roomHistory('secret');
    await api.project([
      ...events,
      secret.next('ada', { type: 'RoomCreated', spaceId: 's', name: 'Secret', description: '', isPrivate: true }),
      secret.next('bob', made.joined('bob')),
    ]);
  });

  after(() => api.close());

  const asOf = (at: string | number, more = '', caller: Caller | null = ADA, roomId = 'lobby'): Promise<Answer> =>
    api.get(`/api/v1/chatroom/${roomId}/as-of?at=${encodeURIComponent(at)}${more}`, caller);
  const refusedAs = async (asked: Promise<Answer>, status: number, code: string): Promise<Answer> => {
    const answer = await asked;
    assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(answer.body));
    return answer;
  };

  it('READ-30 shows details, members and messages of a version', async () => {
    const { status, headers, body } = await asOf(3);
    assert.equal(status, 200);
    assert.match(headers.get('x-position') ?? '', /^0-\d+$/);
    assert.partialDeepStrictEqual(body, {
      chatroom: { id: 'lobby', name: 'Lobby', memberCount: 2, version: 3, archived: false },
      version: 3,
      at: new Date(timeOf(3)).toISOString(),
    });
    const { members, messages } = body as { members: MemberView[]; messages: MessageView[] };
    assert.deepEqual(
      members.map(({ userId, role }) => [userId, role]),
      [
        ['ada', 'owner'],
        ['bob', 'member'],
      ],
    );
    const said = events[2];
    assert.ok(said?.type === 'MessageSent');
    assert.deepEqual(messages, [messageView(said)]);
    const later = (await asOf(5)).body as { members: MemberView[]; chatroom: object };
    assert.partialDeepStrictEqual(later.chatroom, { name: 'Hall', description: 'wide', memberCount: 1 });
    assert.deepEqual(
      later.members.map(({ userId }) => userId),
      ['ada'],
    );
  });

  it('READ-30 shows at the last version what the room is now', async () => {
    const { body } = await asOf(events.length);
    assert.deepEqual(body.chatroom, (await api.get('/api/v1/chatroom/lobby', ADA)).body.chatroom);
    assert.deepEqual(body.messages, (await api.get('/api/v1/messages?chatroomId=lobby', ADA)).body.messages);
  });

  it('LAW: READ-30 every version of every room is the fold of the events up to it', async () => {
    const [history = []] = fc.sample(arbitraryHistory({ rooms: ['red', 'blue'], minLength: 80, maxLength: 90 }), {
      numRuns: 1,
      seed: 5,
    });
    await api.project(history);
    for (const roomId of new Set(history.map((event) => event.roomId))) {
      const ofRoom = history.filter((event) => event.roomId === roomId);
      for (let version = 1; version <= ofRoom.length; version++) {
        const upTo = ofRoom.slice(0, version);
        const { body } = await asOf(version, '&limit=100', OPERATOR, roomId);
        assert.deepEqual(body.messages, messagesOf(upTo).slice(-100));
        const state = upTo.reduce<RoomState>(evolve, initialState);
        assert.ok(state.status !== 'none');
        assert.partialDeepStrictEqual(body.chatroom, {
          name: state.name,
          archived: state.status === 'archived',
          version,
        });
        const members = body.members as MemberView[];
        assert.deepEqual(new Map(members.map(({ userId, username }) => [userId, username])), new Map(state.members));
      }
    }
  }).timeout(60_000);

  it('READ-32 takes a time for the newest version that there was by then', async () => {
    for (const [ms, version] of [
      [timeOf(1), 1],
      [timeOf(3), 3],
      [timeOf(7), 7],
      [Date.now(), 7],
    ] as const) {
      assert.equal((await asOf(new Date(ms).toISOString())).body.version, version);
    }
    const inAnotherZone = new Date(timeOf(4) + 3_600_000).toISOString().replace('Z', '+01:00');
    assert.equal((await asOf(inAnotherZone)).body.version, 4);
  });

  it('READ-31 gives pages of messages and of members', async () => {
    const newest = await asOf(7, '&limit=2');
    assert.deepEqual(
      (newest.body.messages as MessageView[]).map(({ message }) => message),
      ['two', 'three'],
    );
    assert.equal(newest.body.nextBefore, '6');
    const older = await asOf(7, '&limit=2&before=6');
    assert.deepEqual(
      (older.body.messages as MessageView[]).map(({ message }) => message),
      ['one'],
    );
    assert.equal('nextBefore' in older.body, false);

    const crowd = roomHistory('crowd');
    const names = Array.from(
      { length: LIMITS.pageMembers + 20 },
      (_, index) => `user-${String(index).padStart(4, '0')}`,
    );
    const joins = names.map((name) => crowd.next(name, name === names[0] ? made.room() : made.joined(name)));
    await api.project(joins);
    const first = (await asOf(joins.length, '', OPERATOR, 'crowd')).body;
    assert.equal((first.members as MemberView[]).length, LIMITS.pageMembers);
    const cursor = encodeURIComponent(String(first.nextMembersCursor));
    const second = (await asOf(joins.length, `&membersCursor=${cursor}`, OPERATOR, 'crowd')).body;
    assert.equal('nextMembersCursor' in second, false);
    assert.deepEqual(
      [first, second].flatMap(({ members }) => (members as MemberView[]).map(({ userId }) => userId)),
      names,
    );
  });

  it('READ-33 is for the owner and for operators; a private room is hidden from who is not in it', async () => {
    assert.equal((await asOf(3, '', OPERATOR)).status, 200);
    await refusedAs(asOf(3, '', BOB), 403, 'owner_only');
    await refusedAs(asOf(1, '', BOB, 'secret'), 403, 'owner_only');
    await refusedAs(asOf(1, '', { userId: 'cy' }, 'secret'), 404, 'room_not_found');
    await refusedAs(asOf(1, '', ADA, 'nowhere'), 404, 'room_not_found');
    await refusedAs(asOf(1, '', null), 401, 'token_missing');
    assert.equal((await asOf(1, '', ADA, 'secret')).status, 200);
  });

  it('READ-34 refuses a point that is none, or that the room does not have', async () => {
    const detailOf = async (at: string | number, more = ''): Promise<string> =>
      String((await refusedAs(asOf(at, more), 400, 'invalid_request')).body.detail);
    assert.match(await detailOf('yesterday'), /at: must be a version or a time/);
    assert.match(await detailOf('2026-01-02T03:04:05'), /at: must be a version or a time/);
    assert.match(await detailOf(0), /versions from 1 to 7, not 0/);
    assert.match(await detailOf(8), /versions from 1 to 7, not 8/);
    assert.match(await detailOf('2999-01-01T00:00:00Z'), /has not come yet/);
    assert.match(await detailOf(new Date(timeOf(1) - 1).toISOString()), /did not exist then/);
    assert.match(await detailOf(3, '&limit=101'), /limit/);
    assert.match(await detailOf(3, '&before=x'), /before/);
    assert.match(await detailOf(3, '&membersCursor=x'), /membersCursor/);
    assert.match(await detailOf(3, '&unknown=1'), /unknown/i);
    await refusedAs(api.get('/api/v1/chatroom/lobby/as-of', ADA), 400, 'invalid_request');
  });

  it('READ-35 answers a few at a time and refuses the others', async () => {
    const { db, tables } = api.history;
    const lock = await db.transaction();
    await lock.raw(`lock table ${tables.roomEvents} in access exclusive mode`);
    const asked = Array.from({ length: LIMITS.asOfReads + 1 }, () => asOf(7));
    // Those that were let in wait for the lock, so the first answer is the refusal of the one too many.
    await refusedAs(Promise.race(asked), 503, 'busy');
    await lock.rollback();
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    assert.deepEqual(statuses.sort(), [...new Array(LIMITS.asOfReads).fill(200), 503]);
    assert.equal((await asOf(7)).status, 200, 'the places are given back');
  });
});

function messagesOf(events: readonly ChatEvent[]): MessageView[] {
  return events.flatMap((event) => (event.type === 'MessageSent' ? [messageView(event)] : []));
}
