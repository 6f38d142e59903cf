import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { until } from '../event-log/contract/log-probe.ts';
import { parsePosition } from '../schemas/commands.ts';
import type { MessageView } from '../schemas/wire.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import { type Answer, openReadApiHarness, type ReadApiHarness } from '../tests/support/read-api-harness.ts';

const ADA = { userId: 'ada' };
const STRANGER = { userId: 'stranger' };
const OPERATOR = { userId: 'op', isOperator: true };
const COUNT = 230;

const versionsOf = ({ body }: Answer): number[] => (body.messages as MessageView[]).map(({ version }) => version);
const pathOf = (roomId: string, query = ''): string => `/api/v1/messages?chatroomId=${roomId}${query}`;
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at);

describe('reading messages', () => {
  let api: ReadApiHarness;
  const lobby = roomHistory('lobby');
  const secret = roomHistory('secret');

  before(async () => {
    api = await openReadApiHarness();
    await api.project([
      lobby.next('ada', made.room()),
      ...range(2, COUNT).map((version) => lobby.next('ada', made.said(`text ${version}`))),
      secret.next('ada', { type: 'RoomCreated', spaceId: 's', name: 'n', description: '', isPrivate: true }),
      secret.next('ada', made.said('psst')),
    ]);
  });

  after(() => api.close());

  it('READ-6 gives the newest 50 by default, ascending', async () => {
    const answer = await api.get(pathOf('lobby'), ADA);
    assert.equal(answer.status, 200);
    assert.deepEqual(versionsOf(answer), range(COUNT - 49, COUNT));
    assert.equal(answer.body.nextCursor, String(COUNT - 49));
    assert.deepEqual((answer.body.messages as MessageView[]).at(-1), {
      id: `message-text ${COUNT}`,
      message: `text ${COUNT}`,
      userId: 'ada',
      username: 'the ada',
      timestamp: '2026-01-02T03:04:05.230Z',
      roomId: 'lobby',
      version: COUNT,
      replyTo: null,
      originalTime: null,
      commandId: `command-${COUNT}`,
    });
  });

  it('READ-7 leads backwards through the whole history', async () => {
    const seen: number[] = [];
    let before: unknown = String(COUNT + 1);
    while (before !== undefined) {
      const answer = await api.get(pathOf('lobby', `&limit=60&before=${String(before)}`), ADA);
      seen.unshift(...versionsOf(answer));
      before = answer.body.nextCursor;
    }
    assert.deepEqual(seen, range(2, COUNT));
  });

  it('READ-7 leads forwards through the whole history', async () => {
    const seen: number[] = [];
    let after: unknown = '0';
    while (after !== undefined) {
      const answer = await api.get(pathOf('lobby', `&limit=100&after=${String(after)}`), ADA);
      seen.push(...versionsOf(answer));
      after = answer.body.nextCursor;
    }
    assert.deepEqual(seen, range(2, COUNT));
  });

  it('READ-7 gives an empty page where there is nothing', async () => {
    assert.deepEqual((await api.get(pathOf('lobby', '&before=2'), ADA)).body, { messages: [] });
    assert.deepEqual((await api.get(pathOf('lobby', `&after=${COUNT}`), ADA)).body, { messages: [] });
  });

  it('READ-5 is for members, and for operators', async () => {
    for (const query of ['', '&before=9', '&after=9']) {
      assert.deepEqual(refusalOf(await api.get(pathOf('lobby', query), STRANGER)), [403, 'not_a_member']);
      assert.deepEqual(refusalOf(await api.get(pathOf('secret', query), STRANGER)), [403, 'not_a_member']);
      assert.deepEqual(refusalOf(await api.get(pathOf('none', query), ADA)), [404, 'room_not_found']);
      assert.equal((await api.get(pathOf('secret', query), OPERATOR)).status, 200);
    }
    assert.deepEqual(refusalOf(await api.get(pathOf('lobby'), null)), [401, 'token_missing']);
  });

  it('READ-10 gives the hot page from the cache, and the same as PostgreSQL has', async () => {
    const cold = await openedCold();
    for (const limit of [1, 50, 99, 100]) {
      const hot = await api.get(pathOf('lobby', `&limit=${limit}`), ADA);
      assert.equal(hot.headers.get('x-cache'), 'hit');
      const fromTables = await api.get(pathOf('lobby', `&limit=${limit}`), ADA, { 'x-min-position': '0-0' });
      assert.equal(fromTables.headers.get('x-cache'), 'miss');
      assert.deepEqual(hot.body, fromTables.body);
    }
    assert.equal(cold.body.nextCursor, String(COUNT - 49));
    const { text } = await api.getText('/metrics');
    assert.match(text, /roomlog_read_newest_pages_total\{cache="hit"\} [1-9]/);
    assert.match(text, /roomlog_read_newest_pages_total\{cache="miss"\} [1-9]/);
  });

  it('READ-10 keeps the hot page up with what is said, and lets no stranger see it', async () => {
    await openedCold();
    await api.project([lobby.next('ada', made.said('news'))]);
    const hot = await api.get(pathOf('lobby', '&limit=2'), ADA);
    assert.equal(hot.headers.get('x-cache'), 'hit');
    assert.deepEqual(versionsOf(hot), [lobby.version - 1, lobby.version]);
    assert.deepEqual(refusalOf(await api.get(pathOf('lobby'), STRANGER)), [403, 'not_a_member']);
    await api.project([lobby.next('eve', made.joined('eve'))]);
    assert.equal((await api.get(pathOf('lobby'), { userId: 'eve' })).headers.get('x-cache'), 'hit');
    await api.project([lobby.next('eve', made.left('eve'))]);
    assert.deepEqual(refusalOf(await api.get(pathOf('lobby'), { userId: 'eve' })), [403, 'not_a_member']);
  });

  it('PROJ-14 READ-10 reads on after the cache was emptied, and fills it again', async () => {
    await openedCold();
    await api.cache.clear();
    const miss = await api.get(pathOf('lobby'), ADA);
    assert.equal(miss.headers.get('x-cache'), 'miss');
    await api.project([lobby.next('ada', made.said('after the flush'))]);
    await openedCold();
    assert.deepEqual(versionsOf(await api.get(pathOf('lobby', '&limit=1'), ADA)), [lobby.version]);
  });

  it('READ-10 brings rooms in while they are written to', async () => {
    const busy = roomHistory('busy');
    await api.project([busy.next('ada', made.room())]);
    let isWriting = true;
    const writing = (async () => {
      while (isWriting) {
        api.append(range(1, 5).map(() => busy.next('ada', made.said(`text ${busy.version}`))));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    await until('a page comes from the cache', async () => {
      const answer = await api.get(pathOf('busy'), ADA);
      const versions = versionsOf(answer);
      const newest = versions.at(-1) ?? 1;
      assert.deepEqual(versions, range(newest - versions.length + 1, newest));
      return answer.headers.get('x-cache') === 'hit';
    });
    isWriting = false;
    await writing;
    await api.project([busy.next('ada', made.said('the last'))]);
    const last = await api.get(pathOf('busy', '&limit=3'), ADA);
    assert.deepEqual(versionsOf(last), range(busy.version - 2, busy.version));
  });

  const BAD = [
    '&limit=0',
    '&limit=101',
    '&limit=1e2',
    '&before=-1',
    '&before=x',
    '&after=',
    '&before=5&after=3',
    '&page=2',
  ];
  for (const query of BAD) {
    it(`READ-8 refuses ${query}`, async () => {
      assert.deepEqual(refusalOf(await api.get(pathOf('lobby', query), ADA)), [400, 'invalid_request']);
    });
  }

  describe('with x-min-position', () => {
    it('READ-9 waits until history has the position', async () => {
      await api.pauseHistory();
      const position = api.append([lobby.next('ada', made.said('seen by its writer'))]);
      let isAnswered = false;
      const reading = api.get(pathOf('lobby', '&limit=1'), ADA, { 'x-min-position': position }).then((answer) => {
        isAnswered = true;
        return answer;
      });
      await api.get(pathOf('lobby', '&before=9'), ADA);
      assert.equal(isAnswered, false);
      api.resumeHistory();
      assert.deepEqual(versionsOf(await reading), [lobby.version]);
    });

    it('READ-9 gives up after two seconds with projection_behind', async () => {
      const behind = await api.get(pathOf('lobby'), ADA, { 'x-min-position': '0-999999' });
      assert.deepEqual(refusalOf(behind), [503, 'projection_behind']);
      assert.match(behind.headers.get('retry-after') ?? '', /^\d+$/);
    });

    for (const position of ['x', '0', '0-', '-1-0', '0-1-2', '99999-0', '0x1-1']) {
      it(`READ-9 refuses ${position}`, async () => {
        const answer = await api.get(pathOf('lobby'), ADA, { 'x-min-position': position });
        assert.deepEqual(refusalOf(answer), [400, 'invalid_request']);
      });
    }
  });

  /** The room is in the cache from here on; resolves with the first answer, which may not have come from there. */
  async function openedCold(): Promise<Answer> {
    const first = await api.get(pathOf('lobby'), ADA);
    await until('the room is in the cache', async () => (await api.cache.newest('lobby', 1)) !== null);
    return first;
  }
});

describe('reading messages of public rooms with PUBLIC_HISTORY', () => {
  it('READ-5 lets everybody with a token read them, and nobody else those of private rooms', async () => {
    const api = await openReadApiHarness({ publicHistory: true });
    try {
      const lobby = roomHistory('lobby');
      const secret = roomHistory('secret');
      await api.project([
        lobby.next('ada', made.room()),
        lobby.next('ada', made.said('hello')),
        secret.next('ada', { type: 'RoomCreated', spaceId: 's', name: 'n', description: '', isPrivate: true }),
      ]);
      assert.deepEqual(versionsOf(await api.get(pathOf('lobby'), STRANGER)), [2]);
      assert.deepEqual(refusalOf(await api.get(pathOf('lobby'), null)), [401, 'token_missing']);
      assert.deepEqual(refusalOf(await api.get(pathOf('secret'), STRANGER)), [403, 'not_a_member']);
      const { body } = await api.post('/api/v1/messages/active', STRANGER, { chatroomId: 'lobby' });
      assert.equal(body.code, 'not_a_member');
    } finally {
      await api.close();
    }
  });
});

describe('reading without a position', () => {
  it('READ-16 waits a moment for what is known to be written, and not for ever', async () => {
    const api = await openReadApiHarness();
    try {
      const lobby = roomHistory('lobby');
      await api.project([lobby.next('ada', made.room())]);
      await api.pauseHistory();
      const position = parsePosition(api.append([lobby.next('ada', made.said('just now'))]));
      assert.ok(position);
      assert.deepEqual(versionsOf(await api.get(`${pathOf('lobby')}&after=0`, ADA)), []);
      api.written.note(position.partition, position.offset);
      const behind = api.get(`${pathOf('lobby')}&after=0`, ADA);
      assert.deepEqual(versionsOf(await behind), [], 'history does not come: it answers as it is');
      const waiting = api.get(`${pathOf('lobby')}&after=0`, ADA);
      api.resumeHistory();
      assert.deepEqual(versionsOf(await waiting), [2]);
    } finally {
      await api.close();
    }
  });
});

function refusalOf({ status, body }: Answer): unknown[] {
  return [status, body.code];
}
