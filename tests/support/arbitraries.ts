// What property tests draw from: commands of few users in few rooms, so that they meet, and events with every value that the
// borders let in. A history is what decisions made of commands, so it is one that can happen.
import fc from 'fast-check';
import { decide, isRefused } from '../../commands/chatroom/decide.ts';
import { withMetadata } from '../../commands/chatroom/new-event.ts';
import { evolve, initialState, type RoomState } from '../../commands/chatroom/state.ts';
import { type Command, type CommandBody, streamOfRoom } from '../../schemas/commands.ts';
import type { Actor, ChatEvent, RoomDetails } from '../../schemas/generated/events.ts';

const USERS = ['ada', 'bob', 'cy', 'dee'];
const ROOMS = ['red', 'green', 'blue'];
const START = Date.UTC(2026, 0, 1);

/** Well-formed text of up to `max` code points, without control characters: names and ids. */
function arbitraryName(max = 40, min = 1): fc.Arbitrary<string> {
  return fc.string({ unit: 'grapheme', minLength: min, maxLength: max }).filter((text) => {
    return !/\p{Cc}/u.test(text) && text.isWellFormed() && [...text].length <= max && [...text].length >= min;
  });
}

/** Text that the message rules accept. */
const arbitraryText: fc.Arbitrary<string> = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
    fc.constantFrom('<b>&"\'</b>', "'; drop table", 'a\tb\nc'),
  )
  .filter((text) => !/[^\P{Cc}\t\n]/u.test(text));

/** Text of which some are refused: empty, too long, control characters, lone surrogates. */
const arbitraryAnyText: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: arbitraryText },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', '\0', '\u0007', '\ud800', 'x\udc00y', 'z'.repeat(2_001), '😀'.repeat(2_000)),
  },
);

const arbitraryUser: fc.Arbitrary<Actor> = fc
  .constantFrom(...USERS)
  .map((userId) => ({ userId, username: `the ${userId}` }));

function arbitraryBody(rooms: readonly string[] = ROOMS): fc.Arbitrary<CommandBody> {
  const roomId = fc.constantFrom(...rooms);
  const userId = fc.constantFrom(...USERS);
  const name = fc.constantFrom('Lobby', 'Attic');
  return fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant('CreateRoom' as const),
        roomId,
        spaceId: fc.constantFrom('space-1', 'space-2'),
        name,
        description: fc.constantFrom('', 'Where all meet'),
        isPrivate: fc.boolean(),
      }),
    },
    { weight: 6, arbitrary: fc.record({ type: fc.constant('JoinRoom' as const), roomId }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('LeaveRoom' as const), roomId }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('InviteMember' as const), roomId, userId }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('ArchiveRoom' as const), roomId }) },
    {
      weight: 2,
      arbitrary: fc.record(
        { type: fc.constant('ChangeRoomDetails' as const), roomId, name, description: fc.constantFrom('', 'New') },
        { requiredKeys: ['type', 'roomId'] },
      ),
    },
    {
      weight: 12,
      arbitrary: fc.record({
        type: fc.constant('SendMessage' as const),
        roomId,
        messageId: fc.uuid({ version: 7 }),
        text: arbitraryAnyText,
        replyTo: fc.option(fc.uuid({ version: 7 }), { freq: 4 }),
        originalTime: fc.option(fc.integer({ min: 0, max: START }), { freq: 8 }),
      }),
    },
  );
}

/** One command; some are an operator's, some say they act for another although they may not, some repeat a commandId. */
function arbitraryCommand(rooms: readonly string[] = ROOMS): fc.Arbitrary<Command> {
  return fc.record({
    body: arbitraryBody(rooms),
    actor: arbitraryUser,
    onBehalfOf: fc.option(arbitraryUser, { freq: 6 }),
    isOperator: fc.boolean(),
    commandId: fc.oneof(
      { weight: 6, arbitrary: fc.uuid({ version: 7 }) },
      { weight: 1, arbitrary: fc.constantFrom('again', 'twice') },
    ),
    correlationId: fc.constant('request'),
    now: fc.integer({ min: START, max: START + 1_000_000 }),
  });
}

export function arbitraryCommands(
  options: { rooms?: readonly string[]; minLength?: number; maxLength?: number } = {},
): fc.Arbitrary<Command[]> {
  const { rooms, minLength = 0, maxLength = 60 } = options;
  return fc.array(arbitraryCommand(rooms), { minLength, maxLength });
}

/** Events of several rooms in the order in which they happened; versions are dense in each stream. */
export function arbitraryHistory(
  options: { rooms?: readonly string[]; minLength?: number; maxLength?: number } = {},
): fc.Arbitrary<ChatEvent[]> {
  return arbitraryCommands(options).map(historyOf);
}

/** What the commands lead to when they are decided one after the other. */
export function historyOf(commands: readonly Command[]): ChatEvent[] {
  const states = new Map<string, RoomState>();
  const events: ChatEvent[] = [];
  for (const command of commands) {
    const stream = streamOfRoom(command.body.roomId);
    let state = states.get(stream) ?? initialState;
    const decision = decide(command, state);
    if (isRefused(decision)) continue;
    for (const made of decision) {
      const eventId = `00000000-0000-7000-8000-${String(events.length + 1).padStart(12, '0')}`;
      const event = withMetadata(made, command, { stream, version: state.version + 1, eventId });
      events.push(event);
      state = evolve(state, event);
    }
    states.set(stream, state);
  }
  return events;
}

/** One event for itself, with every value that the borders let in: for encoding and the like. */
export const arbitraryEvent: fc.Arbitrary<ChatEvent> = fc
  .record({
    roomId: arbitraryName(),
    actor: arbitraryActor(),
    onBehalfOf: fc.option(arbitraryActor()),
    eventId: fc.uuid({ version: 7 }),
    version: fc.integer({ min: 1, max: 2 ** 40 }),
    occurredAt: fc.integer({ min: 0, max: 2 ** 43 }),
    commandId: arbitraryName(),
    correlationId: arbitraryName(),
  })
  .chain(({ roomId, ...metadata }) => {
    const common = {
      roomId: fc.constant(roomId),
      metadata: fc.constant({ stream: streamOfRoom(roomId), ...metadata }),
    };
    const names = { userId: arbitraryName(), username: arbitraryName() };
    return fc.oneof(
      fc.record({
        type: fc.constant('RoomCreated' as const),
        ...common,
        spaceId: arbitraryName(),
        name: arbitraryName(),
        description: arbitraryName(100, 0),
        isPrivate: fc.boolean(),
      }),
      fc.record({
        type: fc.constant('RoomDetailsEdited' as const),
        ...common,
        before: fc.option(arbitraryDetails()),
        after: arbitraryDetails(),
      }),
      fc.record({ type: fc.constant('RoomArchived' as const), ...common }),
      fc.record({ type: fc.constant('MemberInvited' as const), ...common, userId: names.userId }),
      fc.record({
        type: fc.constant('MemberJoined' as const),
        ...common,
        ...names,
        invitedBy: fc.option(arbitraryName()),
      }),
      fc.record({ type: fc.constant('MemberLeft' as const), ...common, ...names }),
      fc.record({
        type: fc.constant('MessageSent' as const),
        ...common,
        messageId: fc.uuid({ version: 7 }),
        text: arbitraryText,
        replyTo: fc.option(fc.uuid({ version: 7 })),
        originalTime: fc.option(fc.integer({ min: 0, max: 2 ** 43 })),
      }),
    );
  });

function arbitraryDetails(): fc.Arbitrary<RoomDetails> {
  return fc.record({ name: arbitraryName(), description: arbitraryName(100, 0) });
}

function arbitraryActor(): fc.Arbitrary<Actor> {
  return fc.record({ userId: arbitraryName(), username: arbitraryName() });
}
