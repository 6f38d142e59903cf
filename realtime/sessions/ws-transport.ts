// A bare WebSocket as a transport. Outgoing frames are finished bytes that go straight to the TCP socket: `ws` itself would frame
// and write each of them for each socket. It still reads, pings and closes; what it writes goes to the same TCP socket in order.
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { CLOSE_CODES, type CloseName } from '../../schemas/close-codes.ts';
import type { AnswerFrame } from '../../schemas/wire.ts';
import { BOUNDS } from '../bounds.ts';
import { type EncodedFrame, type FrameBatch, textToWsBytes } from '../frames/encoded-frame.ts';
import type { RealtimeMetrics } from '../metrics.ts';
import { Outbox, type OutboxNode } from './outbox.ts';
import type { Answer, Reply, Transport } from './transport.ts';

export type WsTransportOwner = {
  /** Called once, as soon as the transport takes nothing any more; the TCP connection may linger. */
  transportClosed(): void;
};

/** What all sockets of the node share. */
export type WsTransportNode = OutboxNode & { metrics: RealtimeMetrics };

const PING_FRAME = Buffer.from([0x89, 0x00]);
/** Pings in a row without a sign of life after which the socket is dead. */
const MAX_SILENT_PINGS = 2;

export class WsTransport implements Transport {
  readonly kind = 'ws';
  readonly #ws: WebSocket;
  readonly #owner: WsTransportOwner;
  readonly #node: WsTransportNode;
  readonly #outbox: Outbox;
  #silentPings = 0;
  /** Since the last checkAlive. */
  #controlFrames = 0;
  #isClosed = false;

  /** `socket`: the TCP socket of the WebSocket, from its upgrade. */
  constructor(ws: WebSocket, socket: Socket, owner: WsTransportOwner, node: WsTransportNode) {
    this.#ws = ws;
    this.#owner = owner;
    this.#node = node;
    this.#outbox = new Outbox(socket, this, node);
  }

  overflowed(): void {
    this.close('slowConsumer');
  }

  /** `ws` writes pongs and the close frame by itself, whole and at once; nothing may follow a close frame (RFC 6455 §5.5.1). */
  mayWrite(): boolean {
    return this.#ws.readyState === WebSocket.OPEN;
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

  get queuedBytes(): number {
    return this.#outbox.queuedBytes;
  }

  pauseReading(): void {
    this.#ws.pause();
  }

  resumeReading(): void {
    this.#ws.resume();
  }

  close(name: CloseName): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#node.metrics.closed(name);
    const ws = this.#ws;
    this.#outbox.flush();
    this.#outbox.close();
    // A paused socket would never see the client's answer to the close frame.
    ws.resume();
    const { code, reason } = CLOSE_CODES[name];
    ws.close(code, reason);
    this.#owner.transportClosed();
  }

  /** The client has closed, or the connection broke. */
  closedByPeer(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#outbox.close();
    this.#owner.transportClosed();
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
    // While it is not read its pongs are not heard either.
    if (!this.#ws.isPaused) this.#silentPings += 1;
    this.#outbox.push(PING_FRAME);
  }
}
