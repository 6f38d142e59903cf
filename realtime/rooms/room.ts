// One room on this node with everything that is not in the log beside it: its feed, who is present, who is typing, and the
// channel on which other nodes tell the same.
import type { ExpiringSets } from '../../platform/expiring-sets.ts';
import type { PubSub } from '../../platform/pub-sub.ts';
import type { Rejection, RejectionCode } from '../../schemas/rejections.ts';
import { reject } from '../../schemas/rejections.ts';
import { SERVER_FRAMES, type ServerFrameName } from '../../schemas/wire.ts';
import { BOUNDS } from '../bounds.ts';
import { encodeFrame } from '../frames/encoded-frame.ts';
import type { NodeSigns } from './node-signs.ts';
import type { Joined, Participant } from './participant.ts';
import { RoomFeed, type RoomFeedDeps } from './room-feed.ts';
import { type PresentUser, RoomPresence } from './room-presence.ts';
import { channelOfRoom, formatSignal, parseSignal, type RoomSignalKind } from './room-signals.ts';
import { RoomTyping } from './room-typing.ts';

export type RoomDeps = Omit<RoomFeedDeps, 'onUser' | 'onFailed'> & {
  sets: ExpiringSets;
  pubSub: PubSub;
  signs: NodeSigns;
  onFailed: (room: Room, code: RejectionCode) => void;
};

export class Room {
  readonly feed: RoomFeed;
  readonly #deps: RoomDeps;
  readonly #presence: RoomPresence;
  readonly #typing: RoomTyping;
  #opened: Promise<Rejection | null> | undefined;
  #unsubscribe: (() => void) | undefined;
  #joining = 0;
  #renewAt: number;
  #emptySince: number;
  #isClosed = false;

  constructor(room: { roomId: string; partition: number }, deps: RoomDeps) {
    this.#deps = deps;
    this.#emptySince = deps.now();
    this.#renewAt = deps.now() + BOUNDS.presenceRenewMs;
    this.feed = new RoomFeed(room, {
      ...deps,
      onUser: (user, isHere) => this.#onUser(user, isHere),
      onFailed: (code) => deps.onFailed(this, code),
    });
    const tell = (kind: RoomSignalKind, user: PresentUser): void => this.#tell(kind, user);
    this.#presence = new RoomPresence(room.roomId, {
      ...deps,
      tell,
      onChange: (user, isPresent) => this.#show(isPresent ? SERVER_FRAMES.userJoined : SERVER_FRAMES.userLeft, user),
    });
    this.#typing = new RoomTyping({
      ...deps,
      tell,
      show: (user, isTyping) => this.#show(isTyping ? SERVER_FRAMES.typing : SERVER_FRAMES.stopTyping, user),
    });
  }

  /** Loads the room; everybody who joins meanwhile waits for the same load. Null, or why it cannot be loaded. */
  opened(): Promise<Rejection | null> {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  async join(session: Participant, after: number | undefined, reset: boolean): Promise<Joined | Rejection> {
    this.#joining += 1;
    try {
      return (await this.opened()) ?? (await this.feed.join(session, after, reset));
    } finally {
      this.#joining -= 1;
      this.#emptySince = this.#deps.now();
    }
  }

  leave(session: Participant): void {
    this.feed.leave(session);
    this.#emptySince = this.#deps.now();
  }

  /** Passes on that the session's user types, or has stopped; only from a session that has joined. */
  typing(session: Participant, isTyping: boolean): Rejection | null {
    if (!this.feed.hasJoined(session)) return reject('not_a_member', 'join the room first');
    if (isTyping) this.#typing.type(session);
    else this.#typing.stop(session);
    return null;
  }

  get isEmpty(): boolean {
    return this.feed.sessionCount === 0 && this.#joining === 0;
  }

  /** Whether nobody has been here for so long that the room can be forgotten. */
  isAbandoned(now: number): boolean {
    return this.isEmpty && now - this.#emptySince >= BOUNDS.emptyRoomMs;
  }

  tick(now: number, deadNodes: readonly string[]): void {
    this.#typing.expire();
    for (const node of deadNodes) this.#presence.nodeDied(node);
    if (now < this.#renewAt) return;
    this.#renewAt = now + BOUNDS.presenceRenewMs;
    void this.#presence.renew();
  }

  close(): void {
    this.#isClosed = true;
    this.feed.close();
    this.#unsubscribe?.();
  }

  async #open(): Promise<Rejection | null> {
    const { pubSub } = this.#deps;
    const beside = pubSub
      .subscribe(channelOfRoom(this.feed.roomId), (text) => this.#hear(text))
      .then(async (unsubscribe) => {
        if (this.#isClosed) unsubscribe();
        else this.#unsubscribe = unsubscribe;
        await this.#presence.open();
      });
    try {
      const [refusal] = await Promise.all([this.feed.open(), beside]);
      return refusal;
    } catch (error) {
      this.#deps.logger.warn({ err: error, roomId: this.feed.roomId }, 'a room cannot be loaded');
      return reject('unavailable');
    }
  }

  #onUser(user: Participant, isHere: boolean): void {
    if (isHere) {
      this.#presence.arrive(user);
    } else {
      this.#typing.stop(user);
      this.#presence.depart(user);
    }
  }

  #tell(kind: RoomSignalKind, { userId, username }: PresentUser): void {
    const { pubSub, signs, logger } = this.#deps;
    const text = formatSignal({ node: signs.nodeId, kind, userId, username });
    pubSub.publish(channelOfRoom(this.feed.roomId), text).catch((error: unknown) => {
      logger.debug({ err: error }, 'other nodes could not be told');
    });
  }

  #hear(text: string): void {
    const signal = parseSignal(text);
    const { signs } = this.#deps;
    if (signal === null || signal.node === signs.nodeId) return;
    signs.heard(signal.node);
    switch (signal.kind) {
      case 'present':
      case 'absent':
        this.#presence.hear(signal.node, signal, signal.kind === 'present');
        break;
      case 'typing':
      case 'stopped':
        this.#typing.hear(signal, signal.kind === 'typing');
        break;
    }
  }

  #show(name: ServerFrameName, { userId, username }: PresentUser): void {
    this.feed.sendToOthers(encodeFrame(name, { roomId: this.feed.roomId, userId, username }), userId);
  }
}
