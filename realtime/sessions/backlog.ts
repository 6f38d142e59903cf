/* What waits for sockets that do not take it as fast as it comes, over all of the node. Each socket has a bound of its own
 * (LIMITS.socketQueueBytes), but many slow ones together would still take more memory than a node has: beyond the node's bound those
 * for which most waits are closed as slow consumers, and come back with `after`.
 *
 * Bytes are counted for every socket, also where sockets share them (the frames of one room). A piece of a block of history is counted by
 * itself, and holds the whole block in memory as long as it waits.
 */
import { BOUNDS } from '../bounds.ts';

export type Backlogged = {
  readonly queuedBytes: number;
  /** Drops what waits and closes the socket with slowConsumer. */
  overflow(): void;
};

export class Backlog {
  readonly #maxBytes: number;
  readonly #blocked = new Set<Backlogged>();
  #bytes = 0;

  constructor(maxBytes: number = BOUNDS.nodeQueueBytes) {
    this.#maxBytes = maxBytes;
  }

  /** As of the last tick. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The system did not take all that was written: from now on the socket is looked at, until nothing waits for it. */
  add(queue: Backlogged): void {
    this.#blocked.add(queue);
  }

  /** Once a second. Sockets that take what they get cost nothing here. */
  tick(): void {
    this.#bytes = 0;
    for (const queue of this.#blocked) {
      const { queuedBytes } = queue;
      this.#bytes += queuedBytes;
      if (queuedBytes === 0) this.#blocked.delete(queue);
    }
    if (this.#bytes <= this.#maxBytes) return;
    for (const queue of [...this.#blocked].toSorted((a, b) => b.queuedBytes - a.queuedBytes)) {
      this.#bytes -= queue.queuedBytes;
      this.#blocked.delete(queue);
      queue.overflow();
      if (this.#bytes <= this.#maxBytes) return;
    }
  }
}
