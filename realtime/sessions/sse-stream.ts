// One stream of a room's events, from its request on: the participant that the room sees. It joins one room and says nothing itself.
import type { Identity } from '../../platform/auth.ts';
import type { Logger } from '../../platform/logger.ts';
import { isRejection, type Rejection, reject } from '../../schemas/rejections.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../../schemas/wire.ts';
import { encodeFrame } from '../frames/encoded-frame.ts';
import type { Hub } from '../hub.ts';
import type { Participant } from '../rooms/participant.ts';
import { rejectionToError } from './session.ts';
import { SseTransport, type SseTransportDeps } from './sse-transport.ts';
import type { TokenClock } from './token-clock.ts';

export type SseStreamDeps = Omit<SseTransportDeps, 'greeting' | 'onBegun' | 'onClosed'> & {
  hub: Hub;
  logger: Logger;
  tokenClock: TokenClock;
  /** Called once, when the stream has ended. */
  onEnded: () => void;
};

export class SseStream implements Participant {
  readonly identity: Identity;
  readonly transport: SseTransport;
  readonly #deps: SseStreamDeps;
  readonly #roomId: string;
  readonly #begun = Promise.withResolvers<null>();
  #isOpen = true;

  constructor(identity: Identity, roomId: string, deps: SseStreamDeps) {
    this.identity = identity;
    this.#roomId = roomId;
    this.#deps = deps;
    this.transport = new SseTransport({
      ...deps,
      greeting: encodeFrame(SERVER_FRAMES.ready, { userId: this.userId, username: this.username }),
      onBegun: () => this.#onBegun(),
      onClosed: () => this.#end(),
    });
  }

  /** A client of a stream says nothing, so nothing of it waits for an answer. */
  stopReading(): void {}

  get isBusy(): boolean {
    return false;
  }

  get userId(): string {
    return this.identity.userId;
  }

  get username(): string {
    return this.identity.username;
  }

  /** A sign of life that goes through proxies, and how far the room is. Says how many events that were. */
  beat(): number {
    this.transport.checkAlive();
    this.#deps.hub.heartbeat(this, this.#roomId);
    return 1;
  }

  isOpen(): boolean {
    return this.#isOpen;
  }

  /** The user is no member any more, or the room failed here; the frame that says so has been sent. Nothing can come any more. */
  leftRoom(): void {
    if (this.transport.hasBegun) this.transport.end();
  }

  /**
   * Joins the room, from after that version on where one is given. Resolves with null as soon as the response has begun, else with
   * the refusal, for which the response is untouched.
   */
  async open(after: number | undefined, reset: boolean): Promise<Rejection | null> {
    return Promise.race([this.#begun.promise, this.#join(after, reset)]);
  }

  async #join(after: number | undefined, reset: boolean): Promise<Rejection | null> {
    const refusal = await this.#joined(after, reset);
    if (refusal === null) {
      this.transport.begin();
      return null;
    }
    if (this.transport.hasBegun) {
      const error = { ...rejectionToError(refusal), event: CLIENT_FRAMES.joinRoom, roomId: this.#roomId };
      this.transport.send(encodeFrame(SERVER_FRAMES.error, error));
      this.transport.end();
    } else {
      this.transport.closedByPeer();
    }
    return refusal;
  }

  async #joined(after: number | undefined, reset: boolean): Promise<Rejection | null> {
    const { hub, logger } = this.#deps;
    try {
      const joined = await hub.join(this, this.#roomId, after, reset);
      if (isRejection(joined)) return joined;
      // Taken out again in the same moment; where that was told the stream has begun, and ended.
      return hub.hasJoined(this, this.#roomId) || this.transport.hasBegun ? null : reject('unavailable');
    } catch (error) {
      logger.error({ err: error, roomId: this.#roomId }, 'a room could not be joined');
      return reject('internal');
    }
  }

  #onBegun(): void {
    this.#begun.resolve(null);
    this.#deps.tokenClock.add(this);
  }

  #end(): void {
    this.#isOpen = false;
    this.#deps.tokenClock.remove(this);
    this.#deps.hub.leave(this, this.#roomId);
    this.#deps.onEnded();
  }
}
