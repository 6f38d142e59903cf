// Which nodes are alive. Every node gives a sign of life on one channel; a node that has been silent while our own signs came
// back counts as dead, and its users as gone. Judging only by what came back keeps a broker that is away, or a node that was
// stopped for a while, from making everybody else look dead.
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/logger.ts';
import type { PubSub } from '../../platform/pub-sub.ts';
import { BOUNDS } from '../bounds.ts';
import { NODES_CHANNEL } from './room-signals.ts';

export type NodeSignsDeps = { nodeId: string; pubSub: PubSub; clock: Clock; logger: Logger };

export class NodeSigns {
  readonly nodeId: string;
  readonly #deps: NodeSignsDeps;
  readonly #heardAtByNode = new Map<string, number>();
  readonly #dead = new Set<string>();
  #signedAt = 0;
  #unsubscribe: (() => void) | undefined;

  constructor(deps: NodeSignsDeps) {
    this.#deps = deps;
    this.nodeId = deps.nodeId;
    this.#heardAtByNode.set(deps.nodeId, deps.clock.now());
  }

  async open(): Promise<void> {
    this.#unsubscribe = await this.#deps.pubSub.subscribe(NODES_CHANNEL, (nodeId) => this.heard(nodeId));
    this.tick();
  }

  stop(): void {
    this.#unsubscribe?.();
  }

  /** Whatever a node says is a sign of life. */
  heard(nodeId: string): void {
    this.#dead.delete(nodeId);
    this.#heardAtByNode.set(nodeId, this.#deps.clock.now());
  }

  /** A node that is mentioned for the first time gets the benefit of the doubt, until it has been silent long enough. */
  isAlive(nodeId: string): boolean {
    const heardAt = this.#heardAtByNode.get(nodeId);
    if (heardAt === undefined) this.heard(nodeId);
    return heardAt === undefined || !this.#isSilent(heardAt);
  }

  /** Gives a sign when it is time to. Returns the nodes that have just been found dead. */
  tick(): string[] {
    const now = this.#deps.clock.now();
    if (now - this.#signedAt >= BOUNDS.nodeSignMs) {
      this.#signedAt = now;
      this.#deps.pubSub.publish(NODES_CHANNEL, this.nodeId).catch((error: unknown) => {
        this.#deps.logger.debug({ err: error }, 'a sign of life went nowhere');
      });
    }
    const newlyDead: string[] = [];
    for (const [nodeId, heardAt] of this.#heardAtByNode) {
      if (!this.#isSilent(heardAt)) continue;
      if (!this.#dead.has(nodeId)) newlyDead.push(nodeId);
      this.#dead.add(nodeId);
      // Remembered for as long as what it left behind may be found; a name not known gets the benefit of the doubt.
      if (now - heardAt > BOUNDS.nodeSilentMs + 2 * BOUNDS.presenceMs) this.#forget(nodeId);
    }
    return newlyDead;
  }

  #forget(nodeId: string): void {
    this.#heardAtByNode.delete(nodeId);
    this.#dead.delete(nodeId);
  }

  #isSilent(heardAt: number): boolean {
    return (this.#heardAtByNode.get(this.nodeId) ?? 0) - heardAt > BOUNDS.nodeSilentMs;
  }
}
