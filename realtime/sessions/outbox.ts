// What waits to be written to one WebSocket or stream of events. Frames of one turn leave in one write; how much may wait is bounded, because a client
// that does not read must cost itself its connection, not the node its memory.
import type { Socket } from 'node:net';
import { LIMITS } from '../../schemas/limits.ts';
import type { RealtimeMetrics } from '../metrics.ts';
import type { Backlog, Backlogged } from './backlog.ts';
import { JoinedPieces } from './joined-pieces.ts';
import type { TurnQueue } from './turn-queue.ts';

/** Whose outbox it is. A socket of its own for each of many thousand: so an owner, not a closure for each call. */
export type OutboxOwner = {
  /** Called once, when more than LIMITS.socketQueueBytes wait, or too much for the node. What waited here is dropped. */
  overflowed(): void;
  /** Whether bytes may still follow what was written by others into the same TCP socket. */
  mayWrite(): boolean;
};

/** What all sockets of the node share. */
export type OutboxNode = { turns: TurnQueue; backlog: Backlog; metrics: Pick<RealtimeMetrics, 'written'> };

/** Up to this many bytes several pieces are copied into one: cheaper than a vectored write of many small ones. */
const COPY_BYTES = 64 * 1024;
const NOTHING: readonly Buffer[] = [];
/** A memory and no state: what comes out depends on nothing but what goes in. */
const JOINED = new JoinedPieces();

export class Outbox implements Backlogged {
  readonly #socket: Socket;
  readonly #owner: OutboxOwner;
  readonly #node: OutboxNode;
  /** One array for all that have nothing waiting. */
  #pieces: readonly Buffer[] = NOTHING;
  #bytes = 0;
  #closed = false;

  constructor(socket: Socket, owner: OutboxOwner, node: OutboxNode) {
    this.#socket = socket;
    this.#owner = owner;
    this.#node = node;
  }

  get queuedBytes(): number {
    return this.#bytes + this.#socket.writableLength;
  }

  push(bytes: Buffer): void {
    if (this.#closed) return;
    if (this.#pieces.length === 0) {
      this.#node.turns.addSocket(this);
      this.#pieces = [bytes];
    } else {
      (this.#pieces as Buffer[]).push(bytes);
    }
    this.#bytes += bytes.length;
    this.#node.turns.grew(bytes.length);
    if (this.queuedBytes > LIMITS.socketQueueBytes) this.overflow();
  }

  overflow(): void {
    if (this.#closed) return;
    this.close();
    this.#owner.overflowed();
  }

  flush(): void {
    const pieces = this.#pieces;
    if (pieces.length === 0) return;
    const bytes = this.#bytes;
    this.#pieces = NOTHING;
    this.#bytes = 0;
    if (!this.#socket.writable || !this.#owner.mayWrite()) return;
    this.#node.metrics.written(bytes);
    if (!this.#write(pieces, bytes)) this.#node.backlog.add(this);
  }

  /** Whether the system took all of it at once. */
  #write(pieces: readonly Buffer[], bytes: number): boolean {
    const socket = this.#socket;
    const [first] = pieces;
    if (first && pieces.length === 1) {
      socket.write(first);
    } else if (bytes <= COPY_BYTES) {
      socket.write(JOINED.of(pieces));
    } else {
      socket.cork();
      for (const piece of pieces) socket.write(piece);
      socket.uncork();
    }
    return socket.writableLength === 0;
  }

  /** Takes nothing any more and drops what waits; `flush` first to send it. */
  close(): void {
    this.#closed = true;
    this.#pieces = NOTHING;
    this.#bytes = 0;
  }
}
