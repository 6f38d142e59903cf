// What waits to be written to one WebSocket. Frames of one turn leave in one write; how much may wait is bounded, because a client
// that does not read must cost itself its connection, not the node its memory.
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { LIMITS } from '../../schemas/limits.ts';
import type { TurnQueue } from './turn-queue.ts';

export type OutboxDeps = {
  /** Of a WebSocket: it writes pongs and the close frame by itself, whole and at once, into the same TCP socket. */
  ws?: WebSocket;
  socket: Socket;
  turns: TurnQueue;
  /** Called once, when more than LIMITS.socketQueueBytes wait. What waited here is dropped; nothing is taken any more. */
  onOverflow: () => void;
  onWritten: (bytes: number) => void;
};

/** Up to this many bytes several pieces are copied into one: cheaper than a vectored write of many small ones. */
const COPY_BYTES = 64 * 1024;

export class Outbox {
  readonly #deps: OutboxDeps;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #closed = false;

  constructor(deps: OutboxDeps) {
    this.#deps = deps;
  }

  get queuedBytes(): number {
    return this.#bytes + this.#deps.socket.writableLength;
  }

  push(bytes: Buffer): void {
    if (this.#closed) return;
    if (this.#pieces.length === 0) this.#deps.turns.addSocket(this);
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    if (this.queuedBytes > LIMITS.socketQueueBytes) {
      this.close();
      this.#deps.onOverflow();
    }
  }

  flush(): void {
    const pieces = this.#pieces;
    if (pieces.length === 0) return;
    const bytes = this.#bytes;
    this.#pieces = [];
    this.#bytes = 0;
    const { socket, ws } = this.#deps;
    // `ws` has answered the client's close frame already: nothing may follow it (RFC 6455 §5.5.1).
    if (!socket.writable || (ws && ws.readyState !== WebSocket.OPEN)) return;
    this.#deps.onWritten(bytes);
    const [first] = pieces;
    if (first && pieces.length === 1) {
      socket.write(first);
    } else if (bytes <= COPY_BYTES) {
      socket.write(Buffer.concat(pieces, bytes));
    } else {
      socket.cork();
      for (const piece of pieces) socket.write(piece);
      socket.uncork();
    }
  }

  /** Takes nothing any more and drops what waits; `flush` first to send it. */
  close(): void {
    this.#closed = true;
    this.#pieces = [];
    this.#bytes = 0;
  }
}
