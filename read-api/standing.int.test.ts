import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { until } from '../event-log/contract/log-probe.ts';
import { parsePosition, positionOf } from '../schemas/commands.ts';
import type { MessageView } from '../schemas/wire.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import { type Answer, openReadApiHarness, type ReadApiHarness } from '../tests/support/read-api-harness.ts';

const ADA = { userId: 'ada' };
const READS = {
  'the newest page': '/api/v1/messages?chatroomId=lobby',
  'an older page': '/api/v1/messages?chatroomId=lobby&before=9',
  'a room': '/api/v1/chatroom/lobby',
  'its members': '/api/v1/chatroom/members?chatroomId=lobby',
  'the rooms of a space': '/api/v1/chatroom/rooms?spaceId=space-1',
};

const standingOf = ({ headers }: Answer): (string | null)[] => [headers.get('x-position'), headers.get('x-lag-events')];

describe('what answers say of how far behind they are', () => {
  let api: ReadApiHarness;
  const lobby = roomHistory('lobby');

  before(async () => {
    api = await openReadApiHarness();
    await project();
  });

  after(() => api.close());

  /** Appends an event as the write side would, and waits until it is projected. Resolves with its position. */
  async function project(): Promise<string> {
    const position = await api.project([lobby.next('ada', lobby.version === 0 ? made.room() : made.said('x'))]);
    note(position);
    return position;
  }

  function note(position: string): void {
    const { partition, offset } = parsePosition(position) ?? { partition: -1, offset: -1 };
    api.written.note(partition, offset);
  }

  for (const [name, path] of Object.entries(READS)) {
    it(`READ-17 READ-18 ${name} names a position that it has, which a reader may wait for`, async () => {
      const position = await project();
      assert.deepEqual(standingOf(await api.get(path, ADA)), [position, '0']);
      const waited = await api.get(path, ADA, { 'x-min-position': position });
      assert.deepEqual([waited.status, ...standingOf(waited)], [200, position, '0']);
    });

    it(`READ-18 ${name} counts what was acknowledged and is not in it`, async () => {
      await project();
      await api.cache.clear();
      await api.pauseHistory();
      const { partition, offset } = parsePosition(await appended(3)) ?? { partition: -1, offset: -1 };
      api.written.note(partition, offset);
      const behind = await api.get(path, ADA);
      assert.deepEqual([behind.status, ...standingOf(behind)], [200, positionOf(partition, offset - 3), '3']);
      api.resumeHistory();
      const waited = await api.get(path, ADA, { 'x-min-position': positionOf(partition, offset) });
      assert.deepEqual(standingOf(waited), [positionOf(partition, offset), '0']);
    });
  }

  async function appended(events: number): Promise<string> {
    return api.append(Array.from({ length: events }, () => lobby.next('ada', made.said('x'))));
  }

  it('READ-17 a hot page names the position of the cache', async () => {
    const position = await project();
    await until('the page comes from the cache', async () => {
      const answer = await api.get(READS['the newest page'], ADA);
      return answer.headers.get('x-cache') === 'hit';
    });
    await api.pauseHistory();
    const later = await appended(2);
    note(later);
    await until('the cache has it', async () => (await newest()).headers.get('x-position') === later);
    assert.deepEqual(standingOf(await newest()), [later, '0']);
    assert.notEqual(later, position);
    api.resumeHistory();
  });

  const newest = (): Promise<Answer> => api.get(READS['the newest page'], ADA);

  it('READ-17 never claims what is not in it, from history nor from the cache, while the room is written to', async () => {
    const busy = roomHistory('busy');
    const first = parsePosition(await api.project([busy.next('ada', made.room())]))?.offset ?? 0;
    const writing = { isOver: false };
    const writer = (async () => {
      while (!writing.isOver) {
        api.append([busy.next('ada', made.said('x')), busy.next('ada', made.said('y'))]);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    const seen = { hit: 0, miss: 0 };
    try {
      while (seen.hit < 100 || seen.miss < 100) {
        const headers = seen.miss < 100 && seen.miss <= seen.hit ? { 'x-min-position': '0-0' } : {};
        const answer = await api.get('/api/v1/messages?chatroomId=busy', ADA, headers);
        seen[answer.headers.get('x-cache') as 'hit' | 'miss'] += 1;
        const last = (answer.body.messages as MessageView[]).at(-1)?.version ?? 1;
        // Only this room is written to, so the event of version v lies v - 1 offsets behind the first one.
        const claimed = (parsePosition(answer.headers.get('x-position') ?? '')?.offset ?? -1) - first + 1;
        assert.ok(claimed >= 1 && last >= claimed, `it has version ${last} and claims ${claimed}`);
      }
    } finally {
      writing.isOver = true;
      await writer;
    }
  });

  it('READ-19 browsers may see it, and refusals do not say it', async () => {
    const answer = await api.get(READS['a room'], ADA, { origin: 'http://localhost:3000' });
    assert.match(answer.headers.get('access-control-expose-headers') ?? '', /x-position,x-lag-events/);
    const refused = await api.get('/api/v1/chatroom/none', ADA);
    assert.deepEqual([refused.status, ...standingOf(refused)], [404, null, null]);
  });
});
