// How frames reach a client: the one thing in which a bare WebSocket, socket.io and a stream of events differ for the rest of the node.
import type { CloseName } from '../../schemas/close-codes.ts';
import type { EncodedFrame, FrameBatch } from '../frames/encoded-frame.ts';

/** What a request of the client is answered with; the transport puts its `ref` to it, or calls its callback. */
export type Answer = { data: object } | { error: { code: string; message: string; retryAfterMs?: number } };
export type Reply = (answer: Answer) => void;

/** After `close` nothing is sent any more; sending to a closed transport does nothing. */
export type Transport = {
  readonly kind: 'ws' | 'socket-io' | 'sse';
  send(frame: EncodedFrame): void;
  sendBatch(batch: FrameBatch): void;
  /** Bytes that wait to be sent. More than LIMITS.socketQueueBytes closes the transport with slowConsumer. */
  readonly queuedBytes: number;
  /** Stops taking frames from the client, as far as the transport can; what it has read already still arrives. */
  pauseReading(): void;
  resumeReading(): void;
  /** Sends what is waiting and closes with that code; `afterMs`: the wait that the client was told, instead of the table's. */
  close(name: CloseName, afterMs?: number): void;
  /** Whether it has been silent for too long; asks it for a sign of life. Only a transport without heartbeats of its own does. */
  checkAlive(): void;
};
