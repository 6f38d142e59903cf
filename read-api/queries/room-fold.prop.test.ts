import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { evolve, initialState, type RoomState } from '../../commands/chatroom/state.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { arbitraryHistory } from '../../tests/support/arbitraries.ts';
import { type FoldedRoom, foldRoom, toMemberPage, toRoomView } from './room-fold.ts';

/** What the write side decides on is a fold of its own over the same events. */
function stateOf(events: readonly ChatEvent[]): RoomState {
  return events.reduce(evolve, initialState);
}

const oneRoom = arbitraryHistory({ rooms: ['red'], maxLength: 80 });

describe('the fold of a room', () => {
  it('LAW: READ-30 at every version is what the write side had then', () => {
    fc.assert(
      fc.property(oneRoom, (events) => {
        for (let version = 0; version <= events.length; version++) {
          const room = foldRoom(null, events.slice(0, version));
          const state = stateOf(events.slice(0, version));
          if (room === null || state.status === 'none') {
            assert.deepEqual([room, state.status], [null, 'none']);
            continue;
          }
          const members = [...state.members].map(([userId, username]) => ({ userId, username }));
          assert.partialDeepStrictEqual(toRoomView(room, version), {
            id: state.roomId,
            name: state.name,
            description: state.description,
            isPrivate: state.isPrivate,
            ownerId: state.ownerId,
            archived: state.status === 'archived',
            memberCount: members.length,
            version: state.version,
          });
          assert.deepEqual(
            toMemberPage(room, '', 1_000).members.map(({ joinedAt: _, ...member }) => member),
            members
              .sort((left, right) => (left.userId < right.userId ? -1 : 1))
              .map((member) => ({ ...member, role: member.userId === state.ownerId ? 'owner' : 'member' })),
          );
        }
      }),
    );
  });

  it('LAW: READ-30 is the same however the events are cut, and whether messages are among them or not', () => {
    fc.assert(
      fc.property(oneRoom, fc.array(fc.nat(20), { maxLength: 20 }), (events, sizes) => {
        let [room, at]: [FoldedRoom | null, number] = [null, 0];
        for (const size of [...sizes, events.length]) {
          const part = events.slice(at, at + size);
          room = foldRoom(
            room,
            part.filter(({ type }) => type !== 'MessageSent'),
          );
          at += size;
        }
        assert.deepEqual(room, foldRoom(null, events));
      }),
    );
  });

  it('LAW: READ-31 pages lead through all members, each once', () => {
    const ids = fc.uniqueArray(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 5 }), { maxLength: 30 });
    fc.assert(
      fc.property(ids, fc.integer({ min: 1, max: 7 }), (userIds, limit) => {
        const members = new Map(userIds.map((userId) => [userId, { username: userId, joinedAtMs: 0 }]));
        const [created] = fc.sample(
          oneRoom.filter((events) => events.length > 0),
          { numRuns: 1, seed: 3 },
        )[0] ?? [undefined];
        assert.ok(created?.type === 'RoomCreated');
        const room: FoldedRoom = { created, name: '', description: '', archived: false, members };
        const seen: string[] = [];
        for (let after = '', more = true; more; after = seen.at(-1) ?? '') {
          const page = toMemberPage(room, after, limit);
          assert.ok(page.members.length <= limit);
          seen.push(...page.members.map(({ userId }) => userId));
          more = page.hasMore;
        }
        assert.deepEqual(seen, [...userIds].sort());
      }),
    );
  });
});
