/* Which nodes are alive, for the nodes themselves and for readers of the shared sets.
 *
 * Every node gives a sign of life on one channel; a node that has been silent while our own signs came back counts as dead, and its
 * users as gone. Judging only by what came back keeps a broker that is away, or a node that was stopped for a while, from making
 * everybody else look dead.
 *
 * The same sign is in the shared sets, where it expires. A node whose sign is missing there although it gave one has lost what else
 * it had there, because Redis began anew or the node was stopped for long: it puts all its entries back first and its sign after
 * them, so that a sign that is there vouches for the entries. Then it asks all nodes to look again, itself too.
 */
import type { Clock } from '../../platform/clock.ts';
import type { ExpiringSets } from '../../platform/expiring-sets.ts';
import type { Logger } from '../../platform/logger.ts';
import type { PubSub } from '../../platform/pub-sub.ts';
import { NODES_KEY } from '../../schemas/presence.ts';
import { BOUNDS } from '../bounds.ts';

export type NodeSignsDeps = {
  nodeId: string;
  sets: ExpiringSets;
  pubSub: PubSub;
  clock: Clock;
  logger: Logger;
  /** Puts all entries of this node back into the shared sets. Rejects when they cannot be reached. */
  restore: () => Promise<void>;
  /** Something may have been missed: the views of all rooms are to be compared with the shared sets soon. */
  lookAgain: () => void;
};

const NODES_CHANNEL = 'nodes';
/** Behind the node's id in a sign of life: all nodes are to look again. */
const LOOK = 'look';

export class NodeSigns {
  readonly nodeId: string;
  readonly #deps: NodeSignsDeps;
  readonly #heardAtByNode = new Map<string, number>();
  readonly #dead = new Set<string>();
  /** The nodes whose signs were in the shared set when it was last read. */
  #listed: ReadonlySet<string> = new Set();
  #readings = 0;
  /** Nodes known from the shared set alone, and those of them whose signs have gone from it since the last tick. */
  readonly #unheard = new Set<string>();
  #unlisted: string[] = [];
  #signedAt = 0;
  #isSigning = false;
  /** Whether the last sign went into the shared set. */
  #isStored = false;
  #isStopped = false;
  #unsubscribe: (() => void) | undefined;

  constructor(deps: NodeSignsDeps) {
    this.#deps = deps;
    this.nodeId = deps.nodeId;
    this.#heardAtByNode.set(deps.nodeId, deps.clock.now());
  }

  /** Resolves when the first sign has been given, or could not be. Only after it may sockets join rooms. */
  async open(): Promise<void> {
    this.#unsubscribe = await this.#deps.pubSub.subscribe(NODES_CHANNEL, (text) => this.#hear(text));
    this.#signedAt = this.#deps.clock.now();
    this.#publish(this.nodeId);
    await this.#sign(true);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#unsubscribe?.();
    await this.#deps.sets.remove(NODES_KEY, this.nodeId).catch(this.#wentNowhere);
  }

  /** Whatever a node says is a sign of life. */
  heard(nodeId: string): void {
    const now = this.#deps.clock.now();
    const before = this.#heardAtByNode.get(nodeId);
    this.#heardAtByNode.set(nodeId, now);
    const isBack = this.#dead.delete(nodeId);
    // Our own signs stayed away: so did everybody's signals.
    const wasDeaf = nodeId === this.nodeId && before !== undefined && now - before > BOUNDS.nodeSilentMs;
    if (isBack || wasDeaf) this.#deps.lookAgain();
  }

  /** A node that was never heard is alive while its sign is in the shared set. */
  isAlive(nodeId: string): boolean {
    const heardAt = this.#heardAtByNode.get(nodeId);
    return heardAt === undefined ? this.#unheard.has(nodeId) : !this.#isSilent(heardAt);
  }

  /** Whether the node's sign vouches that what it has in the shared sets is complete. */
  isListed(nodeId: string): boolean {
    return this.#listed.has(nodeId);
  }

  /** How often the signs in the shared set have been read. */
  get readings(): number {
    return this.#readings;
  }

  /** Gives a sign when it is time to. Returns the nodes that have just been found dead. */
  tick(): string[] {
    const now = this.#deps.clock.now();
    if (now - this.#signedAt >= BOUNDS.nodeSignMs) {
      this.#signedAt = now;
      this.#publish(this.nodeId);
      void this.#sign();
    }
    const newlyDead = this.#unlisted;
    this.#unlisted = [];
    for (const [nodeId, heardAt] of this.#heardAtByNode) {
      if (!this.#isSilent(heardAt)) continue;
      if (!this.#dead.has(nodeId)) newlyDead.push(nodeId);
      this.#dead.add(nodeId);
      // Remembered for as long as what it left behind may be found.
      if (now - heardAt > BOUNDS.nodeSilentMs + 2 * BOUNDS.presenceMs) this.#forget(nodeId);
    }
    return newlyDead;
  }

  /** The sign in the shared set. One at a time; never rejects. */
  async #sign(isFirst = false): Promise<void> {
    if (this.#isSigning) return;
    this.#isSigning = true;
    const { sets, restore, lookAgain } = this.#deps;
    try {
      const listed = new Set(await sets.members(NODES_KEY));
      const isLost = !isFirst && (!this.#isStored || !listed.has(this.nodeId));
      if (isLost) await restore();
      await sets.add(NODES_KEY, this.nodeId, BOUNDS.nodeSilentMs);
      this.#note(listed, isLost);
      this.#isStored = true;
      if (isLost) {
        this.#publish(`${this.nodeId} ${LOOK}`);
        lookAgain();
      }
      if (this.#isStopped) await sets.remove(NODES_KEY, this.nodeId);
    } catch (error) {
      this.#isStored = false;
      this.#wentNowhere(error);
    } finally {
      this.#isSigning = false;
    }
  }

  /** What is not in a set that was lost says nothing of other nodes. */
  #note(listed: Set<string>, isLost: boolean): void {
    this.#listed = listed;
    this.#readings += 1;
    for (const nodeId of listed) if (!this.#heardAtByNode.has(nodeId)) this.#unheard.add(nodeId);
    for (const nodeId of this.#unheard) {
      const isHeard = this.#heardAtByNode.has(nodeId);
      const isGone = !isLost && !listed.has(nodeId);
      if (isGone && !isHeard) this.#unlisted.push(nodeId);
      if (isGone || isHeard) this.#unheard.delete(nodeId);
    }
  }

  #hear(text: string): void {
    const [nodeId = '', wish] = text.split(' ');
    this.heard(nodeId);
    if (wish === LOOK && nodeId !== this.nodeId) this.#deps.lookAgain();
  }

  #publish(text: string): void {
    this.#deps.pubSub.publish(NODES_CHANNEL, text).catch(this.#wentNowhere);
  }

  #forget(nodeId: string): void {
    this.#heardAtByNode.delete(nodeId);
    this.#dead.delete(nodeId);
  }

  #isSilent(heardAt: number): boolean {
    return (this.#heardAtByNode.get(this.nodeId) ?? 0) - heardAt > BOUNDS.nodeSilentMs;
  }

  /** The other nodes judge by the signs that come, so nothing else has to happen here. */
  readonly #wentNowhere = (error: unknown): void => {
    this.#deps.logger.debug({ err: error }, 'a sign of life went nowhere');
  };
}
