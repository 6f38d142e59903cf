// What clients do all day: mostly they talk, now and then they come, go, invite, make rooms, look something up.
import type { Random } from '../random.ts';
import type { ChatClient } from './chat-client.ts';
import type { RoomKnown, Rooms } from './rooms.ts';

export type HabitDeps = { client: ChatClient; rooms: Rooms; random: Random; users: readonly string[] };

type Habit = { weight: number; act: (deps: HabitDeps) => Promise<unknown> };

const MAX_ROOMS_OF_ONE = 6;
const BURST = 4;
/** Some texts are long, so that frames and batches are of many sizes. */
const LONG_CHARACTERS = 1_500;

const HABITS: readonly Habit[] = [
  { weight: 60, act: talk },
  { weight: 6, act: talkInABurst },
  { weight: 8, act: readBackWhatWasSaid },
  { weight: 8, act: readNewest },
  { weight: 8, act: typeAndStop },
  { weight: 4, act: joinSomeRoom },
  { weight: 2, act: leaveSomeRoom },
  { weight: 2, act: inviteSomebody },
  { weight: 2, act: lookAwayAndBack },
  { weight: 1, act: talkWhereNotAllowed },
  { weight: 0.6, act: makeRoom },
  { weight: 0.6, act: renameRoom },
  { weight: 0.1, act: archiveRoom },
];
const TOTAL_WEIGHT = HABITS.reduce((sum, { weight }) => sum + weight, 0);

/** One of them, by chance. */
export async function actByHabit(deps: HabitDeps): Promise<void> {
  let left = deps.random.next() * TOTAL_WEIGHT;
  for (const { weight, act } of HABITS) {
    left -= weight;
    if (left < 0) {
      await act(deps);
      return;
    }
  }
}

/** Makes a room and is in it. */
export async function makeRoom({ client, rooms, random }: HabitDeps): Promise<void> {
  if (!rooms.mayMake()) return;
  const isPrivate = random.chance(0.3);
  const name = `Room of ${client.name}`;
  const made = await client.perform({ type: 'CreateRoom', roomId: '', spaceId: 'plaza', name, isPrivate });
  if (made.kind === 'accepted') client.session?.follow(made.roomId);
}

/** Joins and is joined. */
export async function joinRoom({ client }: Pick<HabitDeps, 'client'>, roomId: string): Promise<void> {
  const joined = await client.perform({ type: 'JoinRoom', roomId });
  if (joined.kind === 'accepted') client.session?.follow(roomId);
}

function myRoom({ client, rooms, random }: HabitDeps): RoomKnown | undefined {
  return random.pick(rooms.of(client.userId));
}

async function talk(deps: HabitDeps): Promise<void> {
  const room = myRoom(deps);
  if (room) await deps.client.say(room.id, deps.random.chance(0.02) ? ` ${'x'.repeat(LONG_CHARACTERS)}` : '');
}

/** Without waiting for answers. */
async function talkInABurst(deps: HabitDeps): Promise<void> {
  const room = myRoom(deps);
  if (room) await Promise.all(Array.from({ length: BURST }, () => deps.client.say(room.id)));
}

async function readBackWhatWasSaid(deps: HabitDeps): Promise<void> {
  const room = myRoom(deps);
  if (!room) return;
  const said = await deps.client.say(room.id);
  if (said.kind === 'accepted') await deps.client.readBack(room.id, said);
}

/** From the hot cache, where that has the room: so there are rooms in it. */
async function readNewest(deps: HabitDeps): Promise<void> {
  const room = myRoom(deps);
  if (room) await deps.client.readNewest(room.id);
}

async function typeAndStop(deps: HabitDeps): Promise<void> {
  const room = myRoom(deps);
  if (room) deps.client.session?.typing(room.id, deps.random.chance(0.7));
}

async function joinSomeRoom(deps: HabitDeps): Promise<void> {
  const { client, rooms, random } = deps;
  if (rooms.of(client.userId).length >= MAX_ROOMS_OF_ONE) return;
  const others = rooms.open.filter(({ members }) => !members.has(client.userId));
  const allowed = others.filter(({ isPrivate, invited }) => !isPrivate || invited.has(client.userId));
  const room = random.pick(random.chance(0.9) ? allowed : others);
  if (room) await joinRoom(deps, room.id);
}

async function leaveSomeRoom(deps: HabitDeps): Promise<void> {
  const { client, rooms } = deps;
  const room = myRoom(deps);
  // Rooms without anybody, and users without any, would make a dull run.
  if (!room || room.members.size <= 2 || rooms.of(client.userId).length <= 2) return;
  client.session?.forget(room.id);
  const left = await client.perform({ type: 'LeaveRoom', roomId: room.id });
  if (left.kind !== 'accepted' && room.members.has(client.userId)) client.session?.follow(room.id);
}

async function inviteSomebody(deps: HabitDeps): Promise<void> {
  const room = myRoom(deps);
  const userId = deps.random.pick(deps.users.filter((user) => !room?.members.has(user)));
  if (room && userId !== undefined) await deps.client.perform({ type: 'InviteMember', roomId: room.id, userId });
}

/** Leaves the frames of a room, not the room. */
async function lookAwayAndBack(deps: HabitDeps): Promise<void> {
  const { client, random } = deps;
  const room = myRoom(deps);
  if (!room || !client.session) return;
  if (client.session.follows(room.id)) client.session.unfollow(room.id);
  else client.session.follow(room.id, { fresh: random.chance(0.3) });
}

async function talkWhereNotAllowed(deps: HabitDeps): Promise<void> {
  const { client, rooms, random } = deps;
  const room = random.pick(rooms.open.filter(({ members }) => !members.has(client.userId)));
  if (room) await client.say(room.id);
}

async function renameRoom(deps: HabitDeps): Promise<void> {
  const { client, rooms, random } = deps;
  const room = random.pick(rooms.of(client.userId).filter(({ ownerId }) => ownerId === client.userId));
  const name = `Renamed ${random.int(1, 1_000_000)}`;
  if (room) await client.perform({ type: 'ChangeRoomDetails', roomId: room.id, name });
}

/** Only where others are left. */
async function archiveRoom(deps: HabitDeps): Promise<void> {
  const { client, rooms, random } = deps;
  const mine = rooms.of(client.userId).filter(({ ownerId }) => ownerId === client.userId);
  const room = rooms.open.length > 6 ? random.pick(mine) : undefined;
  if (room) await client.perform({ type: 'ArchiveRoom', roomId: room.id });
}
