// Streams of Server-Sent Events on the ports of this node: their bound, pings on a wheel, expiry, draining.
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Identity } from '../../platform/auth.ts';
import type { Logger } from '../../platform/logger.ts';
import type { RateLimit } from '../../platform/rate-limit.ts';
import { type Rejection, reject } from '../../schemas/rejections.ts';
import { BOUNDS } from '../bounds.ts';
import type { Hub } from '../hub.ts';
import type { RealtimeMetrics } from '../metrics.ts';
import type { Backlog } from './backlog.ts';
import { type DrainDeps, drain, untilGone } from './drain.ts';
import { HeartbeatWheel } from './heartbeat-wheel.ts';
import { SseStream } from './sse-stream.ts';
import type { TokenClock } from './token-clock.ts';
import type { TurnQueue } from './turn-queue.ts';

export type SseGatewayDeps = {
  hub: Hub;
  turns: TurnQueue;
  backlog: Backlog;
  metrics: RealtimeMetrics;
  logger: Logger;
  joinLimit: RateLimit;
  tokenClock: TokenClock;
  now: () => number;
  /** Its `random` also spreads when clients come back that are not told to. */
  draining: DrainDeps;
  /** Sockets there are beside the streams; they count for the same bound. */
  otherSockets: () => number;
  /** One more is refused with busy. */
  maxSockets: number;
};

/** A request for a stream: whose, of which room, after which version; and the response, with the headers that every one has. */
export type StreamRequest = {
  identity: Identity;
  roomId: string;
  after: number | undefined;
  /** Whether a client that is far behind wants the newest messages instead of all that it missed. */
  reset: boolean;
  response: ServerResponse;
  socket: Socket;
};

const RETRY_AFTER_MS = 2_000;

export class SseGateway {
  readonly #deps: SseGatewayDeps;
  readonly #wheel = new HeartbeatWheel<SseStream>();
  /** Sockets of streams that have ended, with the time at which those are cut that still have not gone. */
  readonly #lingering = new Map<Socket, number>();
  #isDraining = false;

  constructor(deps: SseGatewayDeps) {
    this.#deps = deps;
  }

  get socketCount(): number {
    return this.#wheel.size;
  }

  /** Resolves with null once the response has begun, from then on it is the stream's; else with the refusal to answer with. */
  async open(request: StreamRequest): Promise<Rejection | null> {
    const refusal = (await this.#limit(request.identity)) ?? (await this.#open(request));
    if (refusal) this.#deps.metrics.refused(refusal.rejected);
    return refusal;
  }

  /** Once a second. */
  tick(): void {
    const now = this.#deps.now();
    this.#wheel.tick();
    for (const [socket, cutAt] of this.#lingering) if (now >= cutAt) socket.destroy();
  }

  /** Takes no new streams, ends all (see drain.ts), and cuts those whose clients do not read the end. Safe to call twice. */
  async stop(): Promise<void> {
    this.#isDraining = true;
    const { draining } = this.#deps;
    await drain(this.#wheel.all(), draining);
    await untilGone({ size: () => this.#lingering.size }, draining);
    for (const socket of this.#lingering.keys()) socket.destroy();
  }

  async #limit(identity: Identity): Promise<Rejection | null> {
    const limited = identity.isOperator ? null : await this.#deps.joinLimit.consume(identity.userId);
    return limited && { ...reject('rate_limited'), ...limited };
  }

  #open({ identity, roomId, after, reset, response, socket }: StreamRequest): Promise<Rejection | null> | Rejection {
    // The client may have gone while its rate was looked at; then nobody would tell of it again.
    if (response.destroyed) return reject('unavailable');
    if (this.#isDraining || this.socketCount + this.#deps.otherSockets() >= this.#deps.maxSockets) {
      return { ...reject('busy', 'this node takes no more sockets'), retryAfterMs: RETRY_AFTER_MS };
    }
    const { now, draining } = this.#deps;
    const stream = new SseStream(identity, roomId, {
      ...this.#deps,
      response,
      socket,
      retryMs: BOUNDS.streamRetryMs + Math.floor(draining.random() * BOUNDS.streamRetrySpreadMs),
      onEnded: () => {
        this.#wheel.remove(stream, spoke);
        if (stream.transport.hasBegun && !socket.destroyed) this.#lingering.set(socket, now() + BOUNDS.closeGraceMs);
      },
    });
    const spoke = this.#wheel.add(stream);
    response.once('close', () => {
      this.#lingering.delete(socket);
      stream.transport.closedByPeer();
    });
    return stream.open(after, reset);
  }
}
