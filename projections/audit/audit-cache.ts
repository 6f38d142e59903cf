// Holds the hot cache's entry of a room against what its events say it must be at its own version.
import { isDeepStrictEqual } from 'node:util';
import { LIMITS } from '../../schemas/limits.ts';
import type { CachedPage, RoomCache } from '../cache/room-cache.ts';
import type { ExpectedRoom } from './expected-room.ts';
import type { Faults } from './faults.ts';

/** `absent`: the cache does not have the room. `changing`: the room changed each time it was looked at. Else the version compared. */
export type CacheAudit = number | 'absent' | 'changing';

const ATTEMPTS = 3;
/** Users who are asked for; the cache answers for one at a time. */
const MAX_USERS = 10_000;
const USERS_AT_ONCE = 100;

/**
 * `readOn` has the room's later events put into `room`: the cache may have got them meanwhile. Throws RoomCacheUnavailableError.
 */
export async function auditCache(
  cache: RoomCache,
  roomId: string,
  room: ExpectedRoom,
  readOn: () => Promise<void>,
  faults: Faults,
): Promise<CacheAudit> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const page = await cache.newest(roomId, LIMITS.cachedMessages);
    if (page === null) return 'absent';
    if (page.version > room.version) await readOn();
    const members = room.membersAt(page.version);
    const asked = [...members].slice(0, MAX_USERS);
    const wrong = await wrongMembers(cache, roomId, asked);
    // Members have no version of their own: they are those of the page only where the room stood still.
    if ((await cache.newest(roomId, 1))?.version !== page.version) continue;
    if (page.version > room.version) {
      faults.add('cache', null, `it is at version ${page.version}, and the log ends at version ${room.version}`);
    } else compareMessages(page, room, faults);
    for (const { userId, isMember } of wrong) {
      faults.add(
        'cache',
        null,
        `user ${userId} is ${isMember ? 'a' : 'no'} member there, and by the log it is otherwise`,
      );
    }
    return page.version;
  }
  return 'changing';
}

async function wrongMembers(
  cache: RoomCache,
  roomId: string,
  expected: readonly (readonly [userId: string, isMember: boolean])[],
): Promise<{ userId: string; isMember: boolean }[]> {
  const wrong: { userId: string; isMember: boolean }[] = [];
  for (let at = 0; at < expected.length; at += USERS_AT_ONCE) {
    const some = expected.slice(at, at + USERS_AT_ONCE);
    const answers = await Promise.all(some.map(([userId]) => cache.isMember(roomId, userId)));
    for (const [place, [userId, isMember]] of some.entries()) {
      if (answers[place] === !isMember) wrong.push({ userId, isMember: !isMember });
    }
  }
  return wrong;
}

/** The cache may have fewer messages than it could hold, but always the newest ones. */
function compareMessages(page: CachedPage, room: ExpectedRoom, faults: Faults): void {
  const { messages, areAll } = room.newestAt(page.version);
  if (messages.length < page.messages.length && !areAll) return;
  const expected = page.messages.length === 0 ? [] : messages.slice(-page.messages.length);
  const byVersion = new Map(expected.map((message) => [message.version, message]));
  const isWrong = page.messages.filter((message) => !isDeepStrictEqual(message, byVersion.get(message.version)));
  for (const { version } of isWrong)
    faults.add('cache', null, `message of version ${version} is not what the log says`);
  const there = new Set(page.messages.map(({ version }) => version));
  for (const { version } of expected) {
    if (!there.has(version)) faults.add('cache', null, `message of version ${version} is missing`);
  }
  if (areAll && !page.hasMore && page.messages.length < messages.length) {
    faults.add(
      'cache',
      null,
      `it says that it has all messages, and has ${page.messages.length} of ${messages.length}`,
    );
  }
}
