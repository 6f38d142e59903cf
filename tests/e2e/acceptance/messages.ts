// Messages over REST: send, history, active; texts kept as they are; repeated commands; positions.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'mocha';
import type { MessageView } from '../../../schemas/wire.ts';
import { assertProblem, type Page } from '../support/rest.ts';
import { newUser } from '../support/way.ts';
import type { GetWay } from './acceptance.ts';

/** Kept letter for letter: nothing of it is trimmed, escaped or normalised. */
const TEXTS = [
  'hello',
  '  blanks around  ',
  'tab\tand\nnewline',
  '<script>alert(1)</script> &amp; <img src=x onerror=alert(1)>',
  "'; drop table messages; -- \\' \" %s {{7*7}}",
  '👩‍👩‍👧‍👦 e\u0301 é \u202ertl\u202c עברית 漢字',
  '\u{1f600}'.repeat(2_000),
  '\ufffe\uffff\u2028\u2029',
  '{"event":"receive-message","data":{}}',
  '-- null undefined NaN',
];

export function describeMessages(getWay: GetWay): void {
  describe('messages', () => {
    it('are answered when they are in the log, with what everybody else will see', async () => {
      const { rest } = getWay();
      const alice = newUser(getWay(), 'alice');
      const room = await rest.createRoom(alice.token);
      const before = Date.now();
      const { position, ...message } = await rest.send(alice.token, room.id, 'hello');
      assert.equal(message.message, 'hello');
      assert.equal(message.userId, alice.userId);
      assert.equal(message.username, 'alice');
      assert.equal(message.roomId, room.id);
      assert.ok(Math.abs(Date.parse(message.timestamp) - before) < 60_000);
      assert.match(message.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      const page = await rest.history(alice.token, room.id, {}, position);
      assert.deepEqual(page.messages, [message]);
    });

    it('keep their text letter for letter', async () => {
      const { rest } = getWay();
      const operator = newUser(getWay(), 'operator', true);
      const room = await rest.createRoom(operator.token);
      let position = room.position;
      for (const text of TEXTS) position = (await rest.send(operator.token, room.id, text)).position;
      const page = await rest.history(operator.token, room.id, {}, position);
      assert.deepEqual(
        page.messages.map(({ message }) => message),
        TEXTS,
      );
    });

    it('are read in pages, newest first or onwards from a place, complete and in order', async () => {
      const { rest } = getWay();
      const operator = newUser(getWay(), 'operator', true);
      const room = await rest.createRoom(operator.token);
      let position = room.position;
      for (let n = 1; n <= 230; n++) position = (await rest.send(operator.token, room.id, `message ${n}`)).position;
      const newest = await rest.history(operator.token, room.id, {}, position);
      assert.equal(newest.messages.length, 50);
      assert.deepEqual(textsOf(newest.messages), numbered(181, 230));
      const backwards = await pages(getWay, operator.token, room.id, {}, 'before');
      assert.deepEqual(textsOf(backwards), numbered(1, 230));
      const large = await pages(getWay, operator.token, room.id, { limit: '100' }, 'before');
      assert.deepEqual(large, backwards);
      const [, , third] = backwards;
      assert.ok(third);
      const onwards = await rest.history(operator.token, room.id, { after: String(third.version), limit: '7' });
      assert.deepEqual(textsOf(onwards.messages), numbered(4, 10));
      const versions = backwards.map(({ version }) => version);
      assert.deepEqual(
        versions,
        versions.toSorted((left, right) => left - right),
      );
    });

    it('are sent once, however often the same command comes', async () => {
      const { rest } = getWay();
      const alice = newUser(getWay(), 'alice');
      const room = await rest.createRoom(alice.token);
      const commandId = randomUUID();
      const sent = await Promise.all(
        Array.from({ length: 5 }, () => rest.send(alice.token, room.id, 'once', { commandId })),
      );
      for (const message of sent) assert.deepEqual(message, sent[0]);
      const last = await rest.send(alice.token, room.id, 'after');
      assert.deepEqual(await rest.send(alice.token, room.id, 'once', { commandId }), sent[0]);
      const body = { chatroomId: room.id, message: 'another text', commandId };
      const other = await rest.call('POST', '/api/v1/messages', { token: alice.token, body });
      assertProblem(other, 400, 'invalid_request');
      const page = await rest.history(alice.token, room.id, {}, last.position);
      assert.deepEqual(textsOf(page.messages), ['once', 'after']);
    });

    it('answer one another', async () => {
      const { rest } = getWay();
      const alice = newUser(getWay(), 'alice');
      const room = await rest.createRoom(alice.token);
      const question = await rest.send(alice.token, room.id, 'a question');
      const answer = await rest.send(alice.token, room.id, 'an answer', { replyTo: question.id });
      const page = await rest.history(alice.token, room.id, {}, answer.position);
      assert.deepEqual(
        page.messages.map(({ replyTo }) => replyTo),
        [null, question.id],
      );
    });

    it('of other users come through an operator who acts for them, with the time they were first said', async () => {
      const { rest } = getWay();
      const [alice, operator] = [newUser(getWay(), 'alice'), newUser(getWay(), 'operator', true)];
      const room = await rest.createRoom(alice.token);
      const onBehalfOf = { userId: `irc-${randomUUID()}`, username: 'Ubotu|away`' };
      const join = { chatroomId: room.id, onBehalfOf };
      const joined = await rest.call('POST', '/api/v1/chatroom/join', { token: operator.token, body: join });
      assert.equal(joined.status, 200, joined.text);
      const originalTime = '2004-12-25T07:33:00.000Z';
      const sent = await rest.send(operator.token, room.id, 'from the past', { onBehalfOf, originalTime });
      assert.deepEqual([sent.userId, sent.username], [onBehalfOf.userId, onBehalfOf.username]);
      const [message] = (await rest.history(alice.token, room.id, {}, sent.position)).messages;
      assert.ok(message);
      assert.equal(message.originalTime, originalTime);
      assert.notEqual(message.timestamp, originalTime);
    });

    it('of a private room are read by its members and by nobody else', async () => {
      const { rest } = getWay();
      const [alice, bob] = [newUser(getWay(), 'alice'), newUser(getWay(), 'bob')];
      const room = await rest.createRoom(alice.token, { isPrivate: true });
      const { position } = await rest.send(alice.token, room.id, 'a secret');
      const headers = { 'x-min-position': position };
      const path = `/api/v1/messages?chatroomId=${room.id}`;
      assertProblem(await rest.call('GET', path, { token: bob.token, headers }), 403, 'not_a_member');
      assert.equal((await rest.call('GET', path, { token: alice.token, headers })).status, 200);
    });

    it('are limited in their rate for each user, and not for operators', async () => {
      const { rest } = getWay();
      const [alice, bob] = [newUser(getWay(), 'alice'), newUser(getWay(), 'bob')];
      const room = await rest.createRoom(alice.token);
      await rest.join(bob.token, room.id);
      const body = { chatroomId: room.id, message: 'again and again' };
      const answers = await Promise.all(
        Array.from({ length: 120 }, () => rest.call('POST', '/api/v1/messages', { token: alice.token, body })),
      );
      const refused = answers.filter(({ status }) => status !== 201);
      assert.ok(refused.length > 0);
      for (const answer of refused) {
        assertProblem(answer, 429, 'rate_limited');
        assert.ok(Number(answer.headers.get('retry-after')) >= 1);
      }
      await rest.send(bob.token, room.id, 'one user is limited, not the room');
    });

    it('wait for the position that a reader names', async () => {
      const { rest } = getWay();
      const alice = newUser(getWay(), 'alice');
      const room = await rest.createRoom(alice.token);
      for (let n = 1; n <= 20; n++) {
        const { position, id } = await rest.send(alice.token, room.id, `message ${n}`);
        const { messages } = await rest.history(alice.token, room.id, { limit: '1' }, position);
        assert.equal(messages[0]?.id, id, 'a reader sees its own write');
      }
    });

    it('are there for a client that names no position and reads at once, in a new room too', async () => {
      const { rest } = getWay();
      const operator = newUser(getWay(), 'operator', true);
      for (let n = 0; n < 20; n++) {
        const spaceId = `space-${randomUUID()}`;
        const room = await rest.createRoom(operator.token, { roomid: spaceId });
        assert.deepEqual(
          (await rest.rooms(operator.token, spaceId)).map(({ id }) => id),
          [room.id],
        );
        const sent = await rest.send(operator.token, room.id, 'hello');
        const page = await rest.history(operator.token, room.id, { after: '0' });
        assert.deepEqual(
          page.messages.map(({ id }) => id),
          [sent.id],
        );
      }
    });

    it('come with the position that they reflect, which a reader can wait for, and how far behind that is', async () => {
      const { rest } = getWay();
      const alice = newUser(getWay(), 'alice');
      const room = await rest.createRoom(alice.token);
      const { position } = await rest.send(alice.token, room.id, 'hello');
      for (const path of [
        `/api/v1/messages?chatroomId=${room.id}`,
        `/api/v1/messages?chatroomId=${room.id}&after=0`,
        `/api/v1/chatroom/${room.id}`,
        `/api/v1/chatroom/members?chatroomId=${room.id}`,
      ]) {
        const headers = { 'x-min-position': position };
        const answer = await rest.call('GET', path, { token: alice.token, headers });
        assert.equal(answer.status, 200, answer.text);
        const told = answer.headers.get('x-position') ?? '';
        assert.match(told, /^\d+-\d+$/);
        assert.ok(Number(told.split('-')[1]) >= Number(position.split('-')[1]), `${told} is not behind ${position}`);
        assert.match(answer.headers.get('x-lag-events') ?? '', /^\d+$/);
        const again = { 'x-min-position': told };
        assert.equal((await rest.call('GET', path, { token: alice.token, headers: again })).status, 200);
      }
    });

    it('show who is active in a room', async () => {
      const { rest } = getWay();
      const alice = newUser(getWay(), 'alice');
      const room = await rest.createRoom(alice.token);
      await rest.history(alice.token, room.id, {}, room.position);
      const body = { chatroomId: room.id };
      const answer = await rest.call('POST', '/api/v1/messages/active', { token: alice.token, body });
      assert.equal(Math.floor(answer.status / 100), 2, answer.text);
    });
  });
}

function textsOf(messages: MessageView[]): string[] {
  return messages.map(({ message }) => message);
}

function numbered(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => `message ${from + index}`);
}

/** All pages backwards from the newest, put together in the order of the room. */
async function pages(
  getWay: GetWay,
  token: string,
  chatroomId: string,
  query: Record<string, string>,
  cursorName: string,
): Promise<MessageView[]> {
  const all: MessageView[] = [];
  let page: Page = await getWay().rest.history(token, chatroomId, query);
  for (;;) {
    all.unshift(...page.messages);
    if (page.nextCursor === undefined) return all;
    page = await getWay().rest.history(token, chatroomId, { ...query, [cursorName]: page.nextCursor });
  }
}
