/* A stream of Server-Sent Events as a transport.
 *
 * The head of the response leaves with the first frame, or when the room has been joined: until then the request can still be
 * refused with a status. The body has no chunks and no length and ends with the connection (RFC 9112 §6.3), so what leaves is the
 * same finished bytes for every stream, in one write a turn, as with bare WebSockets.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { CLOSE_CODES, type CloseName } from '../../schemas/close-codes.ts';
import { BOUNDS } from '../bounds.ts';
import type { EncodedFrame, FrameBatch } from '../frames/encoded-frame.ts';
import { batchToSseBytes, retryToSseBytes, SSE_PING, toSseBytes } from '../frames/sse-bytes.ts';
import type { RealtimeMetrics } from '../metrics.ts';
import type { Backlog } from './backlog.ts';
import { closeFrame } from './close-frame.ts';
import { Outbox, type OutboxOwner } from './outbox.ts';
import type { Transport } from './transport.ts';
import type { TurnQueue } from './turn-queue.ts';

export type SseTransportDeps = {
  /** With the headers that every response has. Nothing else may write to it or to its socket from now on. */
  response: ServerResponse;
  /** The TCP socket of the response. */
  socket: Socket;
  turns: TurnQueue;
  backlog: Backlog;
  metrics: RealtimeMetrics;
  /** The first event of the stream. */
  greeting: EncodedFrame;
  /** Milliseconds that the client is told to wait before it comes back. */
  retryMs: number;
  /** Called once, when the head of the response leaves: the request is not refused any more. */
  onBegun: () => void;
  /** Called once, as soon as the transport takes nothing any more; the TCP connection may linger. */
  onClosed: () => void;
};

const HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-store, no-transform',
  // nginx would keep events until it has a page of them.
  'X-Accel-Buffering': 'no',
  Connection: 'close',
};

export class SseTransport implements Transport, OutboxOwner {
  readonly kind = 'sse';
  readonly #deps: SseTransportDeps;
  readonly #outbox: Outbox;
  #hasBegun = false;
  #isClosed = false;

  constructor(deps: SseTransportDeps) {
    this.#deps = deps;
    this.#outbox = new Outbox(deps.socket, this, deps);
  }

  overflowed(): void {
    this.close('slowConsumer');
  }

  mayWrite(): boolean {
    return true;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Sends the head and the greeting; what is sent later begins by itself. */
  begin(): void {
    if (this.#hasBegun || this.#isClosed) return;
    this.#hasBegun = true;
    const { response, socket, greeting, retryMs } = this.#deps;
    socket.setKeepAlive(true, BOUNDS.streamKeepAliveMs);
    // Neither chunks nor a length: the end of the connection is the end of the body.
    response.removeHeader('Transfer-Encoding');
    response.writeHead(200, HEADERS);
    response.flushHeaders();
    this.#outbox.push(retryToSseBytes(retryMs));
    this.#outbox.push(toSseBytes(greeting));
    this.#deps.onBegun();
  }

  send(frame: EncodedFrame): void {
    this.begin();
    this.#outbox.push(toSseBytes(frame));
  }

  sendBatch(batch: FrameBatch): void {
    this.begin();
    this.#outbox.push(batchToSseBytes(batch));
  }

  get queuedBytes(): number {
    return this.#outbox.queuedBytes;
  }

  /** A client of a stream says nothing. */
  pauseReading(): void {}
  resumeReading(): void {}

  /** There are no close codes: an error event says the same before the stream ends. */
  close(name: CloseName, afterMs: number = CLOSE_CODES[name].afterMs): void {
    if (this.#isClosed) return;
    this.#deps.metrics.closed(name);
    if (name === 'slowConsumer') {
      // What waits is thrown away: a client that does not read would keep it, and the connection, for ever.
      this.#isClosed = true;
      this.#outbox.close();
      this.#deps.socket.destroy();
      this.#deps.onClosed();
      return;
    }
    this.send(closeFrame(name, afterMs));
    // Browsers come back by themselves: this tells them when.
    if (name === 'draining') this.#outbox.push(retryToSseBytes(afterMs));
    this.end();
  }

  /** Sends what is waiting and ends the stream. */
  end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#outbox.flush();
    this.#outbox.close();
    this.#deps.response.end();
    this.#deps.onClosed();
  }

  /** The client has gone, or the connection broke; or the request was refused instead. */
  closedByPeer(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#outbox.close();
    this.#deps.onClosed();
  }

  /** Nothing comes back of a stream: what is written keeps the way open, and TCP notices who is not there. */
  checkAlive(): void {
    if (this.#hasBegun) this.#outbox.push(SSE_PING);
  }
}
