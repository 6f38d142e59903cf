// A socket.io client as a transport. Frames go to engine.io as finished packets, which are made once for all sockets; only
// acknowledgements are encoded per socket.
import type { Socket } from 'socket.io';
import { CLOSE_CODES, type CloseName } from '../../schemas/close-codes.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { type EncodedFrame, encodeFrame, type FrameBatch, toSocketIoPacket } from '../frames/encoded-frame.ts';
import type { RealtimeMetrics } from '../metrics.ts';
import type { Transport } from './transport.ts';

export type SocketIoTransportDeps = { socket: Socket; metrics: RealtimeMetrics; onClosed: () => void };

export class SocketIoTransport implements Transport {
  readonly kind = 'socket-io';
  readonly #deps: SocketIoTransportDeps;
  /** Characters given to engine.io since it last had nothing left to send; an upper bound of what waits. */
  #queued = 0;
  #isClosed = false;

  constructor(deps: SocketIoTransportDeps) {
    this.#deps = deps;
    deps.socket.conn.on('drain', () => {
      this.#queued = 0;
    });
  }

  send(frame: EncodedFrame): void {
    if (this.#isClosed) return;
    const { text, options } = toSocketIoPacket(frame);
    this.#queued += text.length;
    if (this.#queued > LIMITS.socketQueueBytes) this.close('slowConsumer');
    else this.#deps.socket.conn.write(text, options);
  }

  sendBatch(batch: FrameBatch): void {
    for (const frame of batch.frames) this.send(frame);
  }

  queuedBytes(): number {
    return this.#queued;
  }

  /** engine.io cannot stop reading; the session bounds what it keeps of it. */
  pauseReading(): void {}
  resumeReading(): void {}

  /** socket.io knows no close codes: an error frame says the same before the connection ends. */
  close(name: CloseName, afterMs: number = CLOSE_CODES[name].afterMs): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#deps.metrics.closed(name);
    const { socket } = this.#deps;
    if (name === 'slowConsumer') {
      // What waits is thrown away: a client that does not read would keep it, and the connection, for ever.
      socket.conn.close(true);
    } else {
      const { code, reason, reconnect } = CLOSE_CODES[name];
      const data = { code: name, message: reason, closeCode: code, reconnect, afterMs, event: null };
      const { text, options } = toSocketIoPacket(encodeFrame(SERVER_FRAMES.error, data));
      socket.conn.write(text, options);
      socket.disconnect(true);
    }
    this.#deps.onClosed();
  }

  closedByPeer(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#deps.onClosed();
  }

  /** engine.io has heartbeats of its own. */
  checkAlive(): void {}
}
