import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { Command } from '../../schemas/commands.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { arbitraryCommands, arbitraryEvent, arbitraryHistory, historyOf } from '../../tests/support/arbitraries.ts';
import { decide, isRefused } from './decide.ts';
import { withMetadata } from './new-event.ts';
import { evolve, initialState, type RoomState } from './state.ts';

describe('laws of the room', () => {
  it('CMD-50 versions of a stream are dense: 1, 2, 3 …', () => {
    fc.assert(
      fc.property(arbitraryHistory(), (history) => {
        const lastByStream = new Map<string, number>();
        for (const { metadata } of history) {
          assert.equal(metadata.version, (lastByStream.get(metadata.stream) ?? 0) + 1);
          lastByStream.set(metadata.stream, metadata.version);
        }
      }),
    );
  });

  it('CMD-51 the fold of the events is the state that the decisions were made on', () => {
    fc.assert(
      fc.property(arbitraryCommands({ rooms: ['red'] }), (commands) => {
        let state: RoomState = initialState;
        const history: ChatEvent[] = [];
        for (const command of commands) {
          for (const event of eventsOf(command, state, history.length)) {
            history.push(event);
            state = evolve(state, event);
          }
        }
        assert.deepEqual(plain(history.reduce<RoomState>(evolve, initialState)), plain(state));
        assert.equal(state.version, history.length);
      }),
    );
  });

  it('CMD-52 a refused command changes nothing: leaving it out gives the same events', () => {
    fc.assert(
      fc.property(arbitraryCommands(), (commands) => {
        const accepted = commands.filter((_, index) => {
          return historyOf(commands.slice(0, index + 1)).length > historyOf(commands.slice(0, index)).length;
        });
        assert.deepEqual(historyOf(accepted), historyOf(commands));
      }),
      { numRuns: 50 },
    );
  });

  it('CMD-53 deciding twice on one state gives the same, and leaves the state as it was', () => {
    fc.assert(
      fc.property(arbitraryCommands({ rooms: ['red'] }), (commands) => {
        const history = historyOf(commands.slice(0, -1));
        const state = history.reduce<RoomState>(evolve, initialState);
        const last = commands.at(-1);
        if (!last) return;
        const before = plain(state);
        const decision = decide(last, state);
        if (!isRefused(decision)) eventsOf(last, state, history.length).reduce<RoomState>(evolve, state);
        assert.deepEqual(plain(state), before);
        assert.deepEqual(decide(last, state), decision);
      }),
    );
  });

  it('evolve takes every event in every state', () => {
    fc.assert(
      fc.property(fc.array(arbitraryEvent, { maxLength: 20 }), (events) => {
        events.reduce<RoomState>(evolve, initialState);
      }),
    );
  });
});

function eventsOf(command: Command, state: RoomState, count: number): ChatEvent[] {
  const decision = decide(command, state);
  if (isRefused(decision)) return [];
  return decision.map((event, index) =>
    withMetadata(event, command, {
      stream: `room-${event.roomId}`,
      version: state.version + 1 + index,
      eventId: `event-${count + index}`,
    }),
  );
}

function plain(state: RoomState): unknown {
  return state.status === 'none' ? state : { ...state, members: state.members.toJS(), invited: state.invited.toJS() };
}
