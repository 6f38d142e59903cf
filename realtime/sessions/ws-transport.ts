// A bare WebSocket as a transport. Outgoing frames are finished bytes that go straight to the TCP socket: `ws` itself would frame
// and write each of them for each socket. It still reads, pings and closes; what it writes goes to the same TCP socket in order.
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { CLOSE_CODES, type CloseName } from '../../schemas/close-codes.ts';
import type { AnswerFrame } from '../../schemas/wire.ts';
import { BOUNDS } from '../bounds.ts';
import { type EncodedFrame, type FrameBatch, textToWsBytes } from '../frames/encoded-frame.ts';
import type { RealtimeMetrics } from '../metrics.ts';
import { Outbox } from './outbox.ts';
import type { Answer, Reply, Transport } from './transport.ts';
import type { TurnQueue } from './turn-queue.ts';

export type WsTransportDeps = {
  ws: WebSocket;
  /** The TCP socket of the WebSocket, from its upgrade. */
  socket: Socket;
  turns: TurnQueue;
  metrics: RealtimeMetrics;
  /** Called once, as soon as the transport takes nothing any more; the TCP connection may linger. */
  onClosed: () => void;
};

const PING_FRAME = Buffer.from([0x89, 0x00]);
/** Pings in a row without a sign of life after which the socket is dead. */
const MAX_SILENT_PINGS = 2;

export class WsTransport implements Transport {
  readonly kind = 'ws';
  readonly #deps: WsTransportDeps;
  readonly #outbox: Outbox;
  #silentPings = 0;
  /** Since the last checkAlive. */
  #controlFrames = 0;
  #isClosed = false;

  constructor(deps: WsTransportDeps) {
    this.#deps = deps;
    this.#outbox = new Outbox({
      ...deps,
      onOverflow: () => this.close('slowConsumer'),
      onWritten: (bytes) => deps.metrics.written(bytes),
    });
  }

  send(frame: EncodedFrame): void {
    this.#outbox.push(frame.wsBytes);
  }

  sendBatch(batch: FrameBatch): void {
    this.#outbox.push(batch.wsBytes);
  }

  replyTo(ref: string | number): Reply {
    return (answer: Answer) => {
      const frame: AnswerFrame = { ref, ...answer };
      this.#outbox.push(textToWsBytes(JSON.stringify(frame)));
    };
  }

  queuedBytes(): number {
    return this.#outbox.queuedBytes;
  }

  pauseReading(): void {
    this.#deps.ws.pause();
  }

  resumeReading(): void {
    this.#deps.ws.resume();
  }

  close(name: CloseName): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#deps.metrics.closed(name);
    const { ws } = this.#deps;
    this.#outbox.flush();
    this.#outbox.close();
    // A paused socket would never see the client's answer to the close frame.
    ws.resume();
    const { code, reason } = CLOSE_CODES[name];
    ws.close(code, reason);
    this.#deps.onClosed();
  }

  /** The client has closed, or the connection broke. */
  closedByPeer(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#outbox.close();
    this.#deps.onClosed();
  }

  /** The client has said something. */
  heard(): void {
    this.#silentPings = 0;
  }

  /** The client has sent a ping or a pong. `ws` answers pings by itself, so a flood of them has to end somewhere. */
  heardControl(): void {
    this.heard();
    this.#controlFrames += 1;
    if (this.#controlFrames > BOUNDS.controlFrames) this.close('tooManyControlFrames');
  }

  checkAlive(): void {
    if (this.#isClosed) return;
    this.#controlFrames = 0;
    if (this.#silentPings >= MAX_SILENT_PINGS) {
      this.close('heartbeatLost');
      return;
    }
    this.#silentPings += 1;
    this.#outbox.push(PING_FRAME);
  }
}
