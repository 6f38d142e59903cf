// Rooms over REST: create, list, join, leave, invite.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'mocha';
import type { RoomView } from '../../../schemas/wire.ts';
import { assertProblem, type Rooms } from '../support/rest.ts';
import { newUser } from '../support/way.ts';
import type { GetWay } from './acceptance.ts';

export function describeRooms(getWay: GetWay): void {
  describe('rooms', () => {
    it('are created by anybody, who is then their owner and first member', async () => {
      const { rest } = getWay();
      const alice = newUser(getWay(), 'alice');
      const body = { roomid: `space-${randomUUID()}`, name: 'Plaza', description: 'Where all meet' };
      const answer = await rest.call<{ chatroom: RoomView; position: string }>('POST', '/api/v1/chatroom/create', {
        token: alice.token,
        body,
      });
      assert.equal(answer.status, 201, answer.text);
      const { chatroom, position } = answer.body;
      assert.match(position, /^\d+-\d+$/);
      assert.equal(chatroom.name, 'Plaza');
      assert.equal(chatroom.description, 'Where all meet');
      assert.equal(chatroom.roomid, body.roomid);
      assert.equal(chatroom.spaceId, body.roomid);
      assert.equal(chatroom.isPrivate, false);
      assert.equal(chatroom.ownerId, alice.userId);
      assert.equal(chatroom.memberCount, 1);
      const [listed] = await rest.rooms(alice.token, body.roomid, position);
      assert.deepEqual(listed, chatroom);
      await rest.send(alice.token, chatroom.id, 'an owner can speak at once');
    });

    it('are listed by space: public ones to everybody, private ones to their members', async () => {
      const { rest } = getWay();
      const [alice, bob] = [newUser(getWay(), 'alice'), newUser(getWay(), 'bob')];
      const spaceId = `space-${randomUUID()}`;
      const open = await rest.createRoom(alice.token, { roomid: spaceId, name: 'Open' });
      const hidden = await rest.createRoom(alice.token, { roomid: spaceId, name: 'Hidden', isPrivate: true });
      await rest.createRoom(alice.token, { roomid: `other-${spaceId}`, name: 'Elsewhere' });
      const idsOf = async (token: string, position: string) =>
        (await rest.rooms(token, spaceId, position)).map(({ id }) => id).sort();
      await rest.rooms(alice.token, spaceId, open.position);
      assert.deepEqual(await idsOf(alice.token, hidden.position), [open.id, hidden.id].sort());
      assert.deepEqual(await idsOf(bob.token, hidden.position), [open.id]);
      await invite(getWay, alice.token, hidden.id, bob.userId);
      const joined = await rest.join(bob.token, hidden.id);
      assert.deepEqual(await idsOf(bob.token, joined), [open.id, hidden.id].sort());
    });

    it('are listed in pages that together are all of them', async () => {
      const { rest } = getWay();
      const operator = newUser(getWay(), 'operator', true);
      const spaceId = `space-${randomUUID()}`;
      const created = await Promise.all(
        Array.from({ length: 130 }, (_, n) => rest.createRoom(operator.token, { roomid: spaceId, name: `Room ${n}` })),
      );
      for (const { position } of created) await rest.rooms(operator.token, spaceId, position);
      const ids: string[] = [];
      let cursor: string | undefined;
      do {
        const query = new URLSearchParams({ spaceId, ...(cursor === undefined ? {} : { cursor }) });
        const page = await rest.call<Rooms>('GET', `/api/v1/chatroom/rooms?${query}`, { token: operator.token });
        assert.ok(page.body.chatrooms.length <= 100);
        ids.push(...page.body.chatrooms.map(({ id }) => id));
        cursor = page.body.nextCursor;
      } while (cursor !== undefined);
      assert.deepEqual(ids.toSorted(), created.map(({ id }) => id).sort());
    });

    it('are joined and left as often as one likes', async () => {
      const { rest } = getWay();
      const [alice, bob] = [newUser(getWay(), 'alice'), newUser(getWay(), 'bob')];
      const room = await rest.createRoom(alice.token);
      const first = await rest.join(bob.token, room.id);
      assert.equal(await rest.join(bob.token, room.id), first, 'joining twice writes nothing');
      await rest.send(bob.token, room.id, 'hello');
      const leave = () =>
        rest.call('POST', '/api/v1/chatroom/leave', { token: bob.token, body: { chatroomId: room.id } });
      assert.equal((await leave()).status, 200);
      assert.equal((await leave()).status, 200);
      const body = { chatroomId: room.id, message: 'too late' };
      assertProblem(await rest.call('POST', '/api/v1/messages', { token: bob.token, body }), 403, 'not_a_member');
      await rest.join(bob.token, room.id);
      await rest.send(bob.token, room.id, 'back again');
    });

    it('that are private are joined by invitation only', async () => {
      const { rest } = getWay();
      const [alice, bob, carol] = [newUser(getWay(), 'alice'), newUser(getWay(), 'bob'), newUser(getWay(), 'carol')];
      const room = await rest.createRoom(alice.token, { isPrivate: true });
      const join = (token: string) =>
        rest.call('POST', '/api/v1/chatroom/join', { token, body: { chatroomId: room.id } });
      assertProblem(await join(bob.token), 403, 'not_invited');
      await invite(getWay, alice.token, room.id, bob.userId);
      assert.equal((await join(bob.token)).status, 200);
      assertProblem(await join(carol.token), 403, 'not_invited');
    });

    it('change their details and end by the wish of their owner', async () => {
      const { rest } = getWay();
      const [alice, bob] = [newUser(getWay(), 'alice'), newUser(getWay(), 'bob')];
      const spaceId = `space-${randomUUID()}`;
      const room = await rest.createRoom(alice.token, { roomid: spaceId });
      await rest.join(bob.token, room.id);
      const change = (token: string) =>
        rest.call('POST', '/api/v1/chatroom/update', { token, body: { chatroomId: room.id, name: 'New name' } });
      assertProblem(await change(bob.token), 403, 'owner_only');
      const changed = await change(alice.token);
      assert.equal(changed.status, 200, changed.text);
      const [listed] = await rest.rooms(alice.token, spaceId, String(changed.body.position));
      assert.equal(listed?.name, 'New name');
      const archived = await rest.call('POST', '/api/v1/chatroom/archive', {
        token: alice.token,
        body: { chatroomId: room.id },
      });
      assert.equal(archived.status, 200, archived.text);
      const body = { chatroomId: room.id, message: 'too late' };
      assertProblem(await rest.call('POST', '/api/v1/messages', { token: bob.token, body }), 409, 'room_archived');
    });

    it('are created once, however often the same command comes', async () => {
      const { rest } = getWay();
      const alice = newUser(getWay(), 'alice');
      const body = { roomid: `space-${randomUUID()}`, name: 'Once', commandId: randomUUID() };
      const create = () =>
        rest.call<{ chatroom: RoomView; position: string }>('POST', '/api/v1/chatroom/create', {
          token: alice.token,
          body,
        });
      const [first, second] = await Promise.all([create(), create()]);
      assert.equal(first.status, 201, first.text);
      assert.equal(second.status, 201, second.text);
      assert.equal(second.body.chatroom.id, first.body.chatroom.id);
      assert.equal(second.body.position, first.body.position);
      assert.equal((await rest.rooms(alice.token, body.roomid, first.body.position)).length, 1);
    });
  });
}

async function invite(getWay: GetWay, token: string, chatroomId: string, userId: string): Promise<void> {
  const answer = await getWay().rest.call('POST', '/api/v1/chatroom/invite', { token, body: { chatroomId, userId } });
  assert.equal(answer.status, 200, answer.text);
}
