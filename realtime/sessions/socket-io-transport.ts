// A socket.io client as a transport. What a turn has to say goes to engine.io as one finished packet, which frames of a room share
// with all sockets; only acknowledgements are encoded per socket.
import type { Socket } from 'socket.io';
import { CLOSE_CODES, type CloseName } from '../../schemas/close-codes.ts';
import { LIMITS } from '../../schemas/limits.ts';
import type { EncodedFrame, FrameBatch } from '../frames/encoded-frame.ts';
import {
  batchToSocketIoPacket,
  bytesOf,
  joinPackets,
  type SocketIoPacket,
  toSocketIoPacket,
} from '../frames/socket-io-packet.ts';
import type { RealtimeMetrics } from '../metrics.ts';
import type { Backlog, Backlogged } from './backlog.ts';
import { closeFrame } from './close-frame.ts';
import type { Answer, Reply, Transport } from './transport.ts';
import type { Flushable, TurnQueue } from './turn-queue.ts';

export type SocketIoTransportDeps = {
  socket: Socket;
  turns: TurnQueue;
  backlog: Backlog;
  metrics: RealtimeMetrics;
  onClosed: () => void;
};

/** More than this waits only where the client does not take it as fast as it comes. */
const BACKLOG_BYTES = 64 * 1024;
const NOTHING: readonly SocketIoPacket[] = [];

export class SocketIoTransport implements Transport, Flushable, Backlogged {
  readonly kind = 'socket-io';
  readonly #deps: SocketIoTransportDeps;
  /** What this turn has to say until now. One array for all that have nothing. */
  #packets: readonly SocketIoPacket[] = NOTHING;
  /** Of this turn, and given to engine.io but not yet to the system, or to an answer to a poll. */
  #queuedBytes = 0;
  #isClosed = false;

  constructor(deps: SocketIoTransportDeps) {
    this.#deps = deps;
  }

  send(frame: EncodedFrame): void {
    this.#push(toSocketIoPacket(frame));
  }

  sendBatch(batch: FrameBatch): void {
    this.#push(batchToSocketIoPacket(batch));
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** What was sent before the answer is with the client before it. */
  replyTo(acknowledge: (answer: Answer) => void): Reply {
    return (answer) => {
      this.flush();
      acknowledge(answer);
    };
  }

  flush(): void {
    if (this.#packets.length === 0) return;
    const packet = joinPackets(this.#packets);
    this.#packets = NOTHING;
    const { socket, metrics, backlog } = this.#deps;
    const bytes = bytesOf(packet);
    metrics.written(bytes);
    socket.conn.write(packet.text, packet.options, () => {
      this.#queuedBytes -= bytes;
    });
    if (this.#queuedBytes > BACKLOG_BYTES) backlog.add(this);
  }

  overflow(): void {
    this.close('slowConsumer');
  }

  /** engine.io cannot stop reading; the session bounds what it keeps of it. */
  pauseReading(): void {}
  resumeReading(): void {}

  /** socket.io knows no close codes: an error frame says the same before the connection ends. */
  close(name: CloseName, afterMs: number = CLOSE_CODES[name].afterMs): void {
    if (this.#isClosed) return;
    this.#deps.metrics.closed(name);
    const { socket } = this.#deps;
    if (name === 'slowConsumer') {
      // What waits is thrown away: a client that does not read would keep it, and the connection, for ever.
      socket.conn.close(true);
    } else {
      this.send(closeFrame(name, afterMs));
      this.flush();
      socket.disconnect(true);
    }
    this.closedByPeer();
  }

  closedByPeer(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#packets = NOTHING;
    this.#deps.onClosed();
  }

  /** engine.io has heartbeats of its own. */
  checkAlive(): void {}

  #push(packet: SocketIoPacket): void {
    if (this.#isClosed) return;
    const { turns } = this.#deps;
    if (this.#packets.length === 0) {
      turns.addSocket(this);
      this.#packets = [packet];
    } else {
      (this.#packets as SocketIoPacket[]).push(packet);
    }
    const bytes = bytesOf(packet);
    this.#queuedBytes += bytes;
    turns.grew(bytes);
    if (this.#queuedBytes > LIMITS.socketQueueBytes) this.overflow();
  }
}
