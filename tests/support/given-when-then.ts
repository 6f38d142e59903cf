// given(events).when(command).then(events), or .thenRejected(code): how a decision is tested. Versions and streams of the given
// events are filled in, because a test says what happened, not which number it had.
import assert from 'node:assert/strict';
import { type Decision, decide, isRefused } from '../../commands/chatroom/decide.ts';
import { type NewEvent, withMetadata } from '../../commands/chatroom/new-event.ts';
import { evolve, initialState, type RoomState } from '../../commands/chatroom/state.ts';
import { type Command, type CommandBody, streamOfRoom } from '../../schemas/commands.ts';
import type { Actor } from '../../schemas/generated/events.ts';
import type { RejectionCode } from '../../schemas/rejections.ts';

export const ROOM = 'room-1';
export const ADA: Actor = { userId: 'ada', username: 'Ada' };
export const BOB: Actor = { userId: 'bob', username: 'Bob' };
export const EVE: Actor = { userId: 'eve', username: 'Eve' };
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

/** What happened, and by whom. */
export type Happened = { event: NewEvent; by: Actor };

export function happened(by: Actor, event: NewEvent): Happened {
  return { by, event };
}

/** A command of a user without special rights, unless told otherwise. */
export function command(by: Actor, body: CommandBody, more: Partial<Omit<Command, 'actor' | 'body'>> = {}): Command {
  return {
    body,
    actor: by,
    onBehalfOf: null,
    isOperator: false,
    commandId: `command-${++commands}`,
    correlationId: 'request-1',
    now: NOW,
    ...more,
  };
}

/** The state that these events lead to. */
export function stateAfter(given: readonly Happened[]): RoomState {
  return given.reduce<RoomState>((state, { event, by }, index) => {
    const place = { stream: streamOfRoom(event.roomId), version: index + 1, eventId: `event-${index + 1}` };
    return evolve(state, withMetadata(event, command(by, { type: 'JoinRoom', roomId: event.roomId }), place));
  }, initialState);
}

export function given(events: readonly Happened[]): { when(command: Command): Outcome } {
  return { when: (wish) => new Outcome(decide(wish, stateAfter(events))) };
}

class Outcome {
  readonly #decision: Decision;

  constructor(decision: Decision) {
    this.#decision = decision;
  }

  /** `then` would make this awaitable by accident. */
  thenHappens(...events: NewEvent[]): void {
    assert.deepEqual(this.#decision, events);
  }

  thenNothing(): void {
    assert.deepEqual(this.#decision, []);
  }

  thenRejected(code: RejectionCode): void {
    assert.ok(isRefused(this.#decision), `accepted, with ${JSON.stringify(this.#decision)}`);
    assert.equal(this.#decision.rejected, code);
  }
}

let commands = 0;
