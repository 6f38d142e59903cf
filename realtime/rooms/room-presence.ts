/* Who is in a room right now, on any node.
 *
 * Each node keeps its own view: user → nodes on which that user has a joined socket. The view changes by what happens here, by
 * signals of other nodes, and by a look at the shared set now and then; each node tells its own sockets the changes of its view.
 * The shared set (entry per user and node, expiring) is what a node learns the others from when it begins, what heals the view when
 * signals were lost, and what the read API answers from.
 *
 * What happens here is written to the set and told to the others in batches: one batch is under way at a time, and what happens
 * meanwhile leaves together with the next one. So a storm of sockets costs a few writes.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type ExpiringSets, MAX_MANY } from '../../platform/expiring-sets.ts';
import type { Logger } from '../../platform/logger.ts';
import {
  beginningOfEntries,
  formatEntry,
  type PresenceEntry,
  type PresentUser,
  parseEntry,
  presenceKey,
} from '../../schemas/presence.ts';
import { BOUNDS } from '../bounds.ts';
import type { NodeSigns } from './node-signs.ts';
import { PresentUsers } from './present-users.ts';
import type { RoomSignalKind } from './room-signals.ts';

export type PresenceDeps = {
  sets: ExpiringSets;
  signs: Pick<NodeSigns, 'nodeId' | 'isAlive' | 'isListed' | 'readings'>;
  /** Tells the other nodes; resolves when it has left, or is lost. */
  tell: (kind: RoomSignalKind, users: PresentUser[]) => Promise<void>;
  /** The user came (first socket on any node) or went (last one). `isOld`: it happened some time ago and was found out now. */
  onChange: (user: PresentUser, isPresent: boolean, isOld: boolean) => void;
  /** The shared set does not have what it should: `renew` is wanted soon. */
  onUnsaved: () => void;
  logger: Logger;
};

/**
 * Looks in a row in which an entry must be missing to count as gone, each after another reading of the nodes' signs: one that could
 * not be written is there again before the second one, and a sign that was read before the set was lost vouches for one look only.
 */
const MISSED_LOOKS = 2;

/** Entries that are parsed in one turn: those of a room with very many would hold up everything else. */
const PARSED_IN_A_TURN = 1_000;

type Change = { username: string; isHere: boolean };

export class RoomPresence {
  readonly #deps: PresenceDeps;
  readonly #key: string;
  readonly #users = new PresentUsers();
  /** By user: what the shared set and the other nodes have still to be told. Null while there is nothing. */
  #unsaved: Map<string, Change> | null = null;
  #isSaving = false;
  /** Of how many looks under way; and the users whom signals spoke of meanwhile. */
  #looks = 0;
  #heardMeanwhile: Set<string> | null = null;
  /** The reading of the nodes' signs by which missing entries were counted last. */
  #reading = 0;
  /** Whether something could not be written since the last renewal. */
  isUnsaved = false;

  constructor(roomId: string, deps: PresenceDeps) {
    this.#deps = deps;
    this.#key = presenceKey(roomId);
  }

  /** How many users are present. */
  get count(): number {
    return this.#users.count;
  }

  present(): Iterable<PresentUser> {
    return this.#users.all();
  }

  /** Learns who is there already, without telling it as news. Never rejects. */
  async open(): Promise<void> {
    await this.#look(true).catch(this.#failed);
  }

  /** The user's first socket of this node joined. */
  arrive({ userId, username }: PresentUser): void {
    const user = { userId, username };
    this.#save(user, true);
    if (this.#users.add(this.#deps.signs.nodeId, user, true)) this.#deps.onChange(user, true, false);
  }

  /** The user's last socket of this node has gone. */
  depart(userId: string): void {
    const own = this.#deps.signs.nodeId;
    // The name of when the user arrived, which the entry has.
    const username = this.#users.nameOn(own, userId);
    if (username !== null) this.#save({ userId, username }, false);
    this.#forget(own, userId, false);
  }

  /** Another node says so. */
  hear(node: string, users: readonly PresentUser[], isPresent: boolean): void {
    for (const user of users) {
      this.#heardMeanwhile?.add(user.userId);
      if (isPresent) this.#note(node, user);
      else this.#forget(node, user.userId, false);
    }
  }

  nodeDied(node: string): void {
    for (const { userId } of [...this.#users.on(node)]) this.#forget(node, userId, true);
  }

  /** Renews this node's entries. Throws ExpiringSetsUnavailableError. */
  async restore(): Promise<void> {
    let entries: string[] = [];
    for (const user of this.#users.on(this.#deps.signs.nodeId)) {
      entries.push(this.#entry(user));
      if (entries.length < MAX_MANY) continue;
      await this.#addAll(entries);
      entries = [];
      // Where the sets are in memory the next part would follow in the same turn.
      await turn();
    }
    await this.#addAll(entries);
  }

  /** Renews this node's entries, then puts right what signals were lost. Throws ExpiringSetsUnavailableError. */
  async renew(): Promise<void> {
    this.isUnsaved = false;
    try {
      await this.restore();
      await this.#look(false);
    } catch (error) {
      this.isUnsaved = true;
      throw error;
    }
  }

  #note(node: string, user: PresentUser): void {
    if (this.#users.add(node, user)) this.#deps.onChange(user, true, false);
  }

  #forget(node: string, userId: string, isOld: boolean): void {
    const gone = this.#users.remove(node, userId);
    if (gone) this.#deps.onChange(gone, false, isOld);
  }

  #save({ userId, username }: PresentUser, isHere: boolean): void {
    this.#unsaved ??= new Map();
    this.#unsaved.set(userId, { username, isHere });
    if (this.#isSaving) return;
    this.#isSaving = true;
    setImmediate(() => void this.#saveAll());
  }

  /** Never rejects. */
  async #saveAll(): Promise<void> {
    const { sets, tell } = this.#deps;
    while (this.#unsaved !== null) {
      const here: PresentUser[] = [];
      const gone: PresentUser[] = [];
      for (const [userId, { username, isHere }] of this.#unsaved) {
        this.#unsaved.delete(userId);
        (isHere ? here : gone).push({ userId, username });
        if (here.length + gone.length === BOUNDS.presenceBatch) break;
      }
      if (this.#unsaved.size === 0) this.#unsaved = null;
      const entries = (users: PresentUser[]): string[] => users.map((user) => this.#entry(user));
      // Written before it is told, so that who hears it finds it.
      const written = [this.#addAll(entries(here)), sets.removeMany(this.#key, entries(gone))].map((write) =>
        write.catch(this.#failed),
      );
      await Promise.all([...written, tell('present', here), tell('absent', gone)]);
    }
    this.#isSaving = false;
  }

  #addAll(entries: readonly string[]): Promise<void> {
    return this.#deps.sets.addMany(this.#key, entries, BOUNDS.presenceMs);
  }

  async #look(silently: boolean): Promise<void> {
    this.#looks += 1;
    this.#heardMeanwhile ??= new Set();
    try {
      const entries = await this.#parse(await this.#deps.sets.members(this.#key));
      this.#compare(entries, silently, this.#heardMeanwhile);
    } finally {
      this.#looks -= 1;
      if (this.#looks === 0) this.#heardMeanwhile = null;
    }
  }

  /** The entries; without this node's own where there are as many as there should be, which is nearly always. */
  async #parse(texts: readonly string[]): Promise<PresenceEntry[]> {
    const own = this.#deps.signs.nodeId;
    const ownBeginning = beginningOfEntries(own);
    const others = texts.filter((text) => !text.startsWith(ownBeginning));
    const needed = texts.length - others.length === this.#users.countOn(own) ? others : texts;
    const entries: PresenceEntry[] = [];
    for (const [index, text] of needed.entries()) {
      if (index % PARSED_IN_A_TURN === PARSED_IN_A_TURN - 1) await turn();
      const entry = parseEntry(text);
      if (entry) entries.push(entry);
    }
    return entries;
  }

  /**
   * Brings the view of the other nodes in line with the entries, but for the users of whom a signal has spoken since: that is newer.
   * This node knows its own users better than the set, and takes out of it what is left of those who have gone.
   */
  #compare(entries: PresenceEntry[], silently: boolean, heard: ReadonlySet<string>): void {
    const { signs, sets } = this.#deps;
    const own = signs.nodeId;
    if (this.#reading !== signs.readings) {
      this.#reading = signs.readings;
      this.#users.countMissed((node) => node !== own && signs.isListed(node));
    }
    const leftOver: string[] = [];
    for (const entry of entries) {
      const { node, userId, username } = entry;
      if (node === own) {
        if (this.#users.nameOn(own, userId) !== username) leftOver.push(formatEntry(entry));
      } else if (signs.isAlive(node) && !heard.has(userId)) {
        if (silently) this.#users.add(node, { userId, username });
        else this.#note(node, { userId, username });
      }
    }
    for (const { node, userId } of this.#users.missedIn(MISSED_LOOKS)) this.#forget(node, userId, false);
    for (let from = 0; from < leftOver.length; from += MAX_MANY) {
      sets.removeMany(this.#key, leftOver.slice(from, from + MAX_MANY)).catch(this.#failed);
    }
  }

  #entry({ userId, username }: PresentUser): string {
    return formatEntry({ node: this.#deps.signs.nodeId, userId, username });
  }

  /** Presence on this node goes on without the shared set, and the next renewal puts it right. */
  readonly #failed = (error: unknown): void => {
    this.#deps.logger.debug({ err: error }, 'presence is known of this node only');
    this.isUnsaved = true;
    this.#deps.onUnsaved();
  };
}
