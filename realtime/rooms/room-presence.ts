/* Who is in a room right now, on any node.
 *
 * Each node keeps its own view: user → nodes on which that user has a joined socket. The view changes by what happens here, by
 * signals of other nodes, and by a look at the shared set now and then; user-joined and user-left are nothing but the changes of
 * the view, so each node tells its own sockets each change once. The shared set (entry per user and node, expiring) is what a
 * node learns the others from when it begins, and what heals the view when signals were lost.
 */
import type { ExpiringSets } from '../../platform/expiring-sets.ts';
import type { Logger } from '../../platform/logger.ts';
import { BOUNDS } from '../bounds.ts';
import type { NodeSigns } from './node-signs.ts';
import type { RoomSignalKind } from './room-signals.ts';

export type PresentUser = { userId: string; username: string };

export type PresenceDeps = {
  sets: ExpiringSets;
  signs: NodeSigns;
  tell: (kind: RoomSignalKind, user: PresentUser) => void;
  /** The user came (first socket on any node) or went (last one). */
  onChange: (user: PresentUser, isPresent: boolean) => void;
  logger: Logger;
};

/** Looks at the shared set that are repeated because a signal came in between, before the look is left to the next time. */
const MAX_LOOKS = 3;
/**
 * Looks in a row in which an entry must be missing to count as gone: a shared set that was lost as a whole (Redis started anew)
 * is filled again by everybody before the second one.
 */
const MISSED_LOOKS = 2;

/** The nodes a user is on, each with the number of looks in a row in which its entry was missing. */
type UserView = { username: string; missedByNode: Map<string, number> };

export class RoomPresence {
  readonly #deps: PresenceDeps;
  readonly #key: string;
  readonly #viewByUser = new Map<string, UserView>();
  #signals = 0;

  constructor(roomId: string, deps: PresenceDeps) {
    this.#deps = deps;
    this.#key = `presence:${roomId}`;
  }

  /** Learns who is there already, without telling it as news. */
  open(): Promise<void> {
    return this.#look(true);
  }

  /** The user's first socket of this node joined. */
  arrive(user: PresentUser): void {
    this.#note(this.#deps.signs.nodeId, user);
    this.#add(user);
    this.#deps.tell('present', user);
  }

  /** The user's last socket of this node has gone. */
  depart(user: PresentUser): void {
    this.#forget(this.#deps.signs.nodeId, user.userId);
    this.#deps.sets.remove(this.#key, this.#entry(user)).catch(this.#failed);
    this.#deps.tell('absent', user);
  }

  /** Another node says so. */
  hear(node: string, user: PresentUser, isPresent: boolean): void {
    this.#signals += 1;
    if (isPresent) this.#note(node, user);
    else this.#forget(node, user.userId);
  }

  nodeDied(node: string): void {
    for (const userId of [...this.#viewByUser.keys()]) this.#forget(node, userId);
  }

  /** Renews this node's entries, then puts right what signals were lost. */
  async renew(): Promise<void> {
    const own = this.#deps.signs.nodeId;
    for (const [userId, { username, missedByNode }] of this.#viewByUser) {
      if (missedByNode.has(own)) this.#add({ userId, username });
    }
    await this.#look(false);
  }

  #note(node: string, user: PresentUser): void {
    const view = this.#viewByUser.get(user.userId);
    if (view) {
      view.missedByNode.set(node, 0);
    } else {
      this.#viewByUser.set(user.userId, { username: user.username, missedByNode: new Map([[node, 0]]) });
      this.#deps.onChange(user, true);
    }
  }

  #forget(node: string, userId: string): void {
    const view = this.#viewByUser.get(userId);
    if (!view?.missedByNode.delete(node) || view.missedByNode.size > 0) return;
    this.#viewByUser.delete(userId);
    this.#deps.onChange({ userId, username: view.username }, false);
  }

  async #look(silently: boolean): Promise<void> {
    const { sets, signs } = this.#deps;
    for (let looks = 0; looks < MAX_LOOKS; looks++) {
      const signals = this.#signals;
      try {
        const entries = (await sets.members(this.#key)).map(parseEntry).filter((entry) => entry !== null);
        // What the set said is older than a signal that came meanwhile.
        if (signals !== this.#signals) continue;
        this.#compare(
          entries.filter(({ node }) => node !== signs.nodeId && signs.isAlive(node)),
          silently,
        );
      } catch (error) {
        this.#failed(error);
      }
      return;
    }
  }

  /** Brings the view of the other nodes in line with the entries; this node knows its own users better than the set. */
  #compare(entries: Entry[], silently: boolean): void {
    const own = this.#deps.signs.nodeId;
    for (const view of this.#viewByUser.values()) {
      for (const [node, missed] of view.missedByNode) if (node !== own) view.missedByNode.set(node, missed + 1);
    }
    for (const { node, userId, username } of entries) {
      if (silently && !this.#viewByUser.has(userId)) {
        this.#viewByUser.set(userId, { username, missedByNode: new Map([[node, 0]]) });
      } else {
        this.#note(node, { userId, username });
      }
    }
    for (const [userId, view] of [...this.#viewByUser]) {
      for (const [node, missed] of [...view.missedByNode]) if (missed >= MISSED_LOOKS) this.#forget(node, userId);
    }
  }

  #add(user: PresentUser): void {
    this.#deps.sets.add(this.#key, this.#entry(user), BOUNDS.presenceMs).catch(this.#failed);
  }

  #entry(user: PresentUser): string {
    return JSON.stringify([this.#deps.signs.nodeId, user.userId, user.username]);
  }

  /** Presence on this node goes on without the shared set, and the next renewal puts it right. */
  readonly #failed = (error: unknown): void => {
    this.#deps.logger.debug({ err: error }, 'presence is known of this node only');
  };
}

type Entry = PresentUser & { node: string };

function parseEntry(text: string): Entry | null {
  const parsed: unknown = JSON.parse(text);
  if (!Array.isArray(parsed)) return null;
  const [node, userId, username] = parsed as unknown[];
  if (typeof node !== 'string' || typeof userId !== 'string' || typeof username !== 'string') return null;
  return { node, userId, username };
}
