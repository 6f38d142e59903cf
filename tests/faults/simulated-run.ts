// A finished run of the simulated chat with everything the checker reads, and random ones for property tests.
import fc from 'fast-check';
import { LIMITS } from '../../schemas/limits.ts';
import { type CachedRoom, checkCache } from './check-cache.ts';
import { checkHistory } from './check-run.ts';
import { checkTables, expectedRows, type Row, TABLE_KEYS, type TableName } from './check-tables.ts';
import { expectedMessage } from './expected-frames.ts';
import { foldLog, newestMessages } from './folded-log.ts';
import type { HistoryEntry } from './history.ts';
import type { LogRead } from './read-log.ts';
import { COURSES, type Course, SimulatedChat } from './simulated-chat.ts';
import { type Violation, Violations } from './violations.ts';

/** Plain data, to be spoilt. */
export type SimulatedRun = {
  history: HistoryEntry[];
  log: LogRead;
  tables: Record<TableName, Row[]>;
  checkpoints: Map<number, number>;
  parked: { stream: string; reason: string }[];
  cached: CachedRoom[];
};

/** Everything is projected, and every room is cached. */
export function runOf(chat: SimulatedChat): SimulatedRun {
  const { history, log } = structuredClone({ history: chat.settle().history, log: chat.log });
  return { history, log, checkpoints: new Map(log.heads), parked: [], ...projectionsOf(log) };
}

/** The tables by the checker's own fold: that this is what the product writes, check-run.int.test.ts holds on a real server. */
export function projectionsOf(read: LogRead): Pick<SimulatedRun, 'tables' | 'cached'> {
  const log = foldLog(read, new Violations());
  const names = Object.keys(TABLE_KEYS) as TableName[];
  const tables = Object.fromEntries(names.map((name) => [name, expectedRows(log, name)])) as SimulatedRun['tables'];
  const cached = [...log.rooms.values()].map((room): CachedRoom => {
    const version = room.events.length;
    const { newest, total } = newestMessages(room, version, LIMITS.cachedMessages);
    const messages = newest.map(expectedMessage);
    return {
      roomId: room.roomId,
      version,
      messages,
      hasOlder: total > newest.length,
      memberIds: [...room.members.keys()],
    };
  });
  return structuredClone({ tables, cached });
}

/** What the checker says of it. */
export async function violationsOf(run: SimulatedRun): Promise<Violation[]> {
  const violations = new Violations();
  const log = foldLog(run.log, violations);
  await checkHistory(run.history, log, violations);
  const { checkpoints, parked } = run;
  await checkTables(log, { rows: (table) => run.tables[table], checkpoints, parked }, violations);
  await checkCache(log, { rooms: run.cached, checkpoints }, violations);
  return violations.kept;
}

const USERS = ['ada', 'bob', 'cy'] as const;
/** The last one is made, or not, on the way. */
const ROOMS = ['red', 'blue', 'green'] as const;
const DETAILS = { spaceId: 'space', name: 'Lobby', description: '' };

export type Step = {
  what: number;
  user: string;
  other: string;
  roomId: string;
  course: Course;
  number: number;
  flag: boolean;
};

/** Few users, rooms and sockets, so that they meet. */
export const arbitrarySteps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    what: fc.integer({ min: 0, max: 26 }),
    user: fc.constantFrom(...USERS),
    other: fc.constantFrom(...USERS),
    roomId: fc.oneof(fc.constant('red'), fc.constantFrom(...ROOMS)),
    course: fc.oneof({ weight: 3, arbitrary: fc.constant('told' as const) }, fc.constantFrom(...COURSES)),
    number: fc.nat(60),
    flag: fc.boolean(),
  }),
  { minLength: 20, maxLength: 200, size: 'max' },
);

/** A run that begins with a public room and a private one, and goes on with the steps. */
export function runOfSteps(steps: readonly Step[]): SimulatedRun {
  const chat = new SimulatedChat();
  for (const roomId of ['red', 'blue']) {
    chat.command('ada', { type: 'CreateRoom', roomId, ...DETAILS, isPrivate: roomId === 'blue' });
  }
  for (const userId of USERS) {
    chat.command(userId, { type: 'JoinRoom', roomId: 'red' });
    chat.connect(userId);
  }
  for (const [index, step] of steps.entries()) takeStep(chat, step, index);
  return runOf(chat);
}

function takeStep(chat: SimulatedChat, step: Step, index: number): void {
  const { what, user, other, roomId, course, number, flag } = step;
  const { socketIds } = chat;
  const socketId = socketIds[number % Math.max(1, socketIds.length)] ?? '';
  const texts = [0, 1, 2].map((part) => `text ${index}.${part}`);
  if (what < 4) chat.say(user, roomId, `text ${index}`, course, flag ? 'rest' : 'socket-io');
  else if (what < 6) chat.sayTogether(user, roomId, texts);
  else if (what < 8) chat.command(user, { type: 'JoinRoom', roomId }, course);
  else if (what === 8) chat.command(user, { type: 'LeaveRoom', roomId }, course);
  else if (what === 9) chat.command(user, { type: 'InviteMember', roomId, userId: other }, course);
  else if (what === 10) chat.command(user, { type: 'ChangeRoomDetails', roomId, name: `Attic ${number}` }, course);
  else if (what === 11 && number === 0) chat.command(user, { type: 'ArchiveRoom', roomId }, course);
  else if (what === 11) chat.command(user, { type: 'CreateRoom', roomId, ...DETAILS, isPrivate: true }, course);
  else if (what === 12) chat.barrier(number % 2);
  else if (what === 13 && number < 30) chat.connect(user);
  else if (what === 13 && number > 50) chat.disconnect(socketId);
  else if (what < 16) chat.ask(socketId, { roomId: 'red', after: flag ? null : number % 12 });
  else if (what < 18) chat.ask(socketId, flag ? { roomId, after: number % 6 } : { roomId, after: null });
  else if (what === 18 && flag) chat.ask(socketId, { leaving: roomId });
  else if (what < 22) chat.work(socketId);
  else chat.deliver(socketId, number, flag);
}
