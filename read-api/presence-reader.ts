// Who is present in a room, from what the socket nodes keep in the shared expiring sets (schemas/presence.ts): the entries of those
// nodes whose sign of life is there. A sign expires within seconds of its node's death.
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../platform/clock.ts';
import { type ExpiringSets, ExpiringSetsUnavailableError } from '../platform/expiring-sets.ts';
import { Problem } from '../platform/http-app.ts';
import { NODES_KEY, type PresentUser, parseEntry, presenceKey } from '../schemas/presence.ts';

export type PresentPage = { count: number; members: PresentUser[]; hasMore: boolean };

/** Milliseconds for which one reading of a room serves: a large one is much to read, however many ask for it. */
const READING_MS = 1_000;

const PARSED_IN_A_TURN = 1_000;

type Reading = { readAt: number; users: Promise<PresentUser[]> };

export class PresenceReader {
  readonly #deps: { sets: ExpiringSets; clock: Clock };
  /** Those of the last READING_MS, oldest first. */
  readonly #readingByRoom = new Map<string, Reading>();

  constructor(deps: { sets: ExpiringSets; clock: Clock }) {
    this.#deps = deps;
  }

  /**
   * How many are present, and those with a user id above `afterUserId`, in the order of user ids by UTF-16 code units. Ends the request
   * with `unavailable` while the sets cannot be reached.
   */
  async page(roomId: string, afterUserId: string, limit: number): Promise<PresentPage> {
    const users = await this.#usersIn(roomId);
    let from = 0;
    let to = users.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((users[middle]?.userId ?? '') > afterUserId) to = middle;
      else from = middle + 1;
    }
    return { count: users.length, members: users.slice(from, from + limit), hasMore: users.length > from + limit };
  }

  async #usersIn(roomId: string): Promise<PresentUser[]> {
    const now = this.#deps.clock.now();
    for (const [oldRoomId, { readAt }] of this.#readingByRoom) {
      if (now - readAt < READING_MS) break;
      this.#readingByRoom.delete(oldRoomId);
    }
    let reading = this.#readingByRoom.get(roomId);
    if (!reading) {
      reading = { readAt: now, users: this.#read(roomId) };
      this.#readingByRoom.set(roomId, reading);
    }
    try {
      return await reading.users;
    } catch (error) {
      if (this.#readingByRoom.get(roomId) === reading) this.#readingByRoom.delete(roomId);
      if (!(error instanceof ExpiringSetsUnavailableError)) throw error;
      throw new Problem('unavailable', { cause: error });
    }
  }

  async #read(roomId: string): Promise<PresentUser[]> {
    const { sets } = this.#deps;
    const [nodes, entries] = await Promise.all([sets.members(NODES_KEY), sets.members(presenceKey(roomId))]);
    const alive = new Set(nodes);
    const nameByUser = new Map<string, string>();
    for (const [index, text] of entries.entries()) {
      // Those of a room with very many would hold up every other request.
      if (index % PARSED_IN_A_TURN === PARSED_IN_A_TURN - 1) await turn();
      const entry = parseEntry(text);
      if (entry && alive.has(entry.node)) nameByUser.set(entry.userId, entry.username);
    }
    return [...nameByUser]
      .map(([userId, username]) => ({ userId, username }))
      .sort((one, other) => (one.userId < other.userId ? -1 : 1));
  }
}
