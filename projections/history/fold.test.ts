import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { UnprojectableError } from '../table-projection.ts';
import { foldHistory } from './fold.ts';

function lobby() {
  const room = roomHistory('lobby');
  return [
    room.next('ada', made.room()),
    room.next('bob', made.joined('bob')),
    room.next('bob', made.said('hello')),
    room.next('bob', made.left('bob')),
  ].map((event) => ({ partition: 0, event }));
}

describe('folding history', () => {
  it('makes one change a room of all its events', () => {
    const changes = foldHistory(lobby(), new Map());
    assert.deepEqual([...changes.rooms.keys()], ['lobby']);
    assert.equal(changes.rooms.get('lobby')?.version, 4);
    assert.deepEqual(
      changes.memberships.added.map(({ userId }) => userId),
      ['ada'],
    );
    assert.equal(changes.messages.length, 1);
    assert.equal(changes.otherEvents.length, 3);
  });

  it('PROJ-2 skips events that the room has already', () => {
    const changes = foldHistory(lobby(), new Map([['lobby', 3]]));
    assert.deepEqual(
      changes.otherEvents.map(({ type }) => type),
      ['MemberLeft'],
    );
    assert.deepEqual(changes.messages, []);
  });

  it('refuses a history with a hole', () => {
    const [first, , third] = lobby();
    assert.ok(first && third);
    assert.throws(() => foldHistory([first, third], new Map()), UnprojectableError);
  });

  it('refuses a room that does not begin with its creation', () => {
    const room = roomHistory('lobby');
    const event = room.next('bob', made.joined('bob'));
    assert.throws(() => foldHistory([{ partition: 0, event }], new Map()), UnprojectableError);
  });

  it('uses an invitation up when the invited one joins', () => {
    const room = roomHistory('attic');
    const events = [
      room.next('ada', made.room()),
      room.next('ada', { type: 'MemberInvited', userId: 'bob' }),
      room.next('ada', { type: 'MemberInvited', userId: 'cy' }),
      room.next('bob', made.joined('bob')),
    ].map((event) => ({ partition: 0, event }));
    const { invitations } = foldHistory(events, new Map());
    assert.deepEqual(
      invitations.added.map(({ userId }) => userId),
      ['cy'],
    );
    assert.deepEqual(invitations.removed, [['attic', 'bob']]);
  });
});
