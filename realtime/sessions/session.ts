/* One authenticated client, whatever its transport.
 *
 * Frames are begun in the order in which they came. Commands of one socket are submitted in that order and without waiting for
 * each other's answers; join, leave and typing of one room wait for each other, those of different rooms do not. At most
 * LIMITS.framesInFlightPerSocket frames are without an answer; what was read beyond that waits here while reading is paused.
 */
import type { CommandPort } from '../../commands/client/command-port.ts';
import type { Identity, TokenVerifier } from '../../platform/auth.ts';
import type { Ids } from '../../platform/ids.ts';
import type { Logger } from '../../platform/logger.ts';
import type { RateLimit } from '../../platform/rate-limit.ts';
import type { Accepted, Command } from '../../schemas/commands.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { isRejection, REJECTIONS, type Rejection, reject } from '../../schemas/rejections.ts';
import type { Refusal } from '../../schemas/server-frames.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { BOUNDS } from '../bounds.ts';
import { encodeFrame } from '../frames/encoded-frame.ts';
import type { Hub } from '../hub.ts';
import type { RealtimeMetrics } from '../metrics.ts';
import type { Joined, Participant } from '../rooms/participant.ts';
import { handlerOf } from './frame-handlers.ts';
import type { TokenClock } from './token-clock.ts';
import type { Reply, Transport } from './transport.ts';

export type SessionDeps = {
  hub: Hub;
  commands: CommandPort;
  verifier: TokenVerifier;
  tokenClock: TokenClock;
  ids: Ids;
  now: () => number;
  /** Shared with the REST API: a user's writes. */
  writeLimit: RateLimit;
  joinLimit: RateLimit;
  typingLimit: RateLimit;
  metrics: RealtimeMetrics;
  logger: Logger;
};

type Waiting = { event: string; data: unknown; reply: Reply | null };

const NOTHING_SUBMITTED: Promise<void> = Promise.resolve();
/** Shared by all sessions, so never written to. */
const NOBODY_WAITS: Waiting[] = [];

export class Session implements Participant {
  #identity: Identity;
  readonly transport: Transport;
  readonly #deps: SessionDeps;
  readonly #rooms = new Set<string>();
  /** Only while something waits: most sockets are idle, and an empty map is not small. */
  #lastByRoom: Map<string, Promise<unknown>> | null = null;
  #lastSubmitted = NOTHING_SUBMITTED;
  #inFlight = 0;
  #waiting: Waiting[] = NOBODY_WAITS;
  #badFrames = 0;
  #badSince = 0;
  #isOpen = true;
  #isReading = true;

  constructor(identity: Identity, transport: Transport, deps: SessionDeps) {
    this.#identity = identity;
    this.transport = transport;
    this.#deps = deps;
  }

  get identity(): Identity {
    return this.#identity;
  }

  get userId(): string {
    return this.identity.userId;
  }

  get username(): string {
    return this.identity.username;
  }

  /** Whether frames of the client still wait for their answer. */
  get isBusy(): boolean {
    return this.#inFlight > 0;
  }

  isOpen(): boolean {
    return this.#isOpen;
  }

  greet(): void {
    this.transport.send(encodeFrame(SERVER_FRAMES.ready, { userId: this.userId, username: this.username }));
    this.#deps.tokenClock.add(this);
  }

  /** Takes no more frames: what was begun is answered, what was not never is, and the client repeats it elsewhere. */
  stopReading(): void {
    this.#isReading = false;
    this.#waiting = NOBODY_WAITS;
    this.transport.pauseReading();
  }

  /** A fresh token of the same user came: its rights and its end count from now on. */
  renew(identity: Identity): void {
    if (!this.#isOpen) return;
    this.#deps.tokenClock.remove(this);
    this.#identity = identity;
    this.#deps.tokenClock.add(this);
  }

  /** Without `reply` a success is silent and a refusal is an error frame. */
  receive(event: string, data: unknown, reply: Reply | null): void {
    if (!this.#isOpen || !this.#isReading) return;
    this.#deps.metrics.received();
    if (this.#inFlight < LIMITS.framesInFlightPerSocket && this.#waiting.length === 0) {
      void this.#handle(event, data, reply);
    } else if (this.#waiting.length < BOUNDS.waitingFrames) {
      this.transport.pauseReading();
      if (this.#waiting === NOBODY_WAITS) this.#waiting = [];
      this.#waiting.push({ event, data, reply });
    } else {
      this.#answer(event, reject('busy'), reply);
    }
  }

  /** What came is no frame at all. */
  receiveMalformed(): void {
    if (!this.#isOpen) return;
    this.#deps.metrics.received();
    this.#answer(null, reject('malformed_frame'), null);
    this.#countBadFrame();
  }

  /** The transport has closed, or is closing: the session is in no room any more and hears nothing. */
  end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#deps.tokenClock.remove(this);
    this.#waiting = NOBODY_WAITS;
    for (const roomId of this.#rooms) this.#deps.hub.leave(this, roomId);
    this.#rooms.clear();
  }

  leftRoom(roomId: string): void {
    this.#rooms.delete(roomId);
  }

  /** Tells the client how far its rooms are; says how many rooms it is in. */
  beat(): number {
    for (const roomId of this.#rooms) this.#deps.hub.heartbeat(this, roomId);
    return this.#rooms.size;
  }

  async join(roomId: string, after: number | undefined, reset?: boolean): Promise<Joined | Rejection> {
    if (!this.#rooms.has(roomId) && this.#rooms.size >= LIMITS.roomsPerSocket) return reject('too_many_rooms');
    // Before the room lets the session in: the room takes it out of here again when the user leaves in the same moment.
    this.#rooms.add(roomId);
    const joined = await this.#deps.hub.join(this, roomId, after, reset);
    if (isRejection(joined) && !this.#deps.hub.hasJoined(this, roomId)) this.#rooms.delete(roomId);
    return joined;
  }

  leave(roomId: string): void {
    this.#rooms.delete(roomId);
    this.#deps.hub.leave(this, roomId);
  }

  /** Null, or rate_limited. Operators are exempt. */
  async limit(limit: RateLimit): Promise<Rejection | null> {
    if (this.identity.isOperator) return null;
    const limited = await limit.consume(this.userId);
    return limited === null ? null : { rejected: 'rate_limited', retryAfterMs: limited.retryAfterMs };
  }

  /** Submits after everything that was submitted before, and resolves with the outcome. */
  async submit(command: Command): Promise<Accepted | Rejection> {
    const limited = this.limit(this.#deps.writeLimit);
    const before = this.#lastSubmitted;
    const { promise, resolve: submitted } = Promise.withResolvers<void>();
    this.#lastSubmitted = promise;
    try {
      const refusal = await limited;
      await before;
      if (refusal) return refusal;
      const outcome = this.#deps.commands.execute(command);
      submitted();
      return await outcome;
    } finally {
      submitted();
    }
  }

  /** Runs the task after the earlier ones of the same room. */
  async inRoomOrder<Value>(roomId: string, task: () => Promise<Value>): Promise<Value> {
    this.#lastByRoom ??= new Map();
    const lastByRoom = this.#lastByRoom;
    const before = lastByRoom.get(roomId);
    const run = before ? before.then(task, task) : task();
    lastByRoom.set(roomId, run);
    try {
      return await run;
    } finally {
      if (lastByRoom.get(roomId) === run) lastByRoom.delete(roomId);
      if (lastByRoom.size === 0 && this.#lastByRoom === lastByRoom) this.#lastByRoom = null;
    }
  }

  async #handle(event: string, data: unknown, reply: Reply | null): Promise<void> {
    this.#inFlight += 1;
    const outcome = await this.#run(event, data);
    this.#inFlight -= 1;
    this.#answer(event, outcome, reply);
    if (isRejection(outcome) && BAD_FRAME_CODES.has(outcome.rejected)) this.#countBadFrame();
    this.#takeWaiting();
  }

  async #run(event: string, data: unknown): Promise<object | Rejection> {
    const handler = handlerOf(event);
    if (!handler) return reject('unknown_event');
    try {
      return await handler(this, data, this.#deps);
    } catch (error) {
      this.#deps.logger.error({ err: error, event }, 'a frame could not be handled');
      return reject('internal');
    }
  }

  #answer(event: string | null, outcome: object | Rejection, reply: Reply | null): void {
    if (!this.#isOpen) return;
    if (!isRejection(outcome)) {
      reply?.({ data: outcome });
      return;
    }
    this.#deps.metrics.refused(outcome.rejected);
    const error = rejectionToError(outcome);
    if (reply) reply({ error });
    else this.transport.send(encodeFrame(SERVER_FRAMES.error, { ...error, event }));
  }

  #takeWaiting(): void {
    if (this.#waiting.length === 0) return;
    const free = LIMITS.framesInFlightPerSocket - this.#inFlight;
    // In portions: taking one at a time off the front of a long list would cost its length each time.
    if (free < LIMITS.framesInFlightPerSocket / 2 && this.#waiting.length > free) return;
    for (const { event, data, reply } of this.#waiting.splice(0, free)) void this.#handle(event, data, reply);
    if (this.#waiting.length > 0) return;
    this.#waiting = NOBODY_WAITS;
    this.transport.resumeReading();
  }

  #countBadFrame(): void {
    const now = this.#deps.now();
    if (now - this.#badSince >= BOUNDS.badFrameWindowMs) {
      this.#badSince = now;
      this.#badFrames = 0;
    }
    this.#badFrames += 1;
    if (this.#badFrames > BOUNDS.badFrames) this.transport.close('tooManyBadFrames');
  }
}

const BAD_FRAME_CODES: ReadonlySet<string> = new Set([
  'unknown_event',
  'invalid_request',
  // Of an auth frame on an open session; without one they close the socket.
  'token_missing',
  'token_invalid',
  'token_expired',
  'token_of_another_user',
]);

export function rejectionToError(rejection: Rejection): Refusal {
  const { rejected, detail, retryAfterMs } = rejection;
  const message = detail ?? REJECTIONS[rejected].title;
  return { code: rejected, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}
