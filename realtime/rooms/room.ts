// One room on this node with everything that is not in the log beside it: its feed, who is present, who is typing, and the
// channel on which other nodes tell the same.
import type { ExpiringSets } from '../../platform/expiring-sets.ts';
import type { PubSub } from '../../platform/pub-sub.ts';
import type { PresentUser } from '../../schemas/presence.ts';
import { isRejection, type Rejection, type RejectionCode, reject } from '../../schemas/rejections.ts';
import { SERVER_FRAMES, type ServerFrameName } from '../../schemas/wire.ts';
import { BOUNDS } from '../bounds.ts';
import { encodeFrame } from '../frames/encoded-frame.ts';
import type { NodeSigns } from './node-signs.ts';
import type { Joined, Participant } from './participant.ts';
import { PresenceFrames } from './presence-frames.ts';
import { RoomFeed, type RoomFeedDeps } from './room-feed.ts';
import { RoomPresence } from './room-presence.ts';
import { channelOfRoom, formatSignal, parseSignal, type RoomSignalKind } from './room-signals.ts';
import { RoomTyping } from './room-typing.ts';

export type RoomDeps = Omit<RoomFeedDeps, 'onUser' | 'onFailed'> & {
  sets: ExpiringSets;
  pubSub: PubSub;
  signs: NodeSigns;
  /** The shared set does not have what it should: presence is to be renewed soon. */
  onUnsaved: () => void;
  onFailed: (room: Room, code: RejectionCode) => void;
};

export class Room {
  readonly feed: RoomFeed;
  readonly #deps: RoomDeps;
  readonly #presence: RoomPresence;
  readonly #frames: PresenceFrames;
  readonly #typing: RoomTyping;
  #opened: Promise<Rejection | null> | undefined;
  #unsubscribe: (() => void) | undefined;
  #joining = 0;
  #emptySince: number;
  #isClosed = false;

  constructor(room: { roomId: string; partition: number }, deps: RoomDeps) {
    this.#deps = deps;
    this.#emptySince = deps.now();
    this.feed = new RoomFeed(room, {
      ...deps,
      onUser: (user, isHere) => this.#onUser(user, isHere),
      onFailed: (code) => deps.onFailed(this, code),
    });
    // Only what is needed: a node has many rooms, and each has these objects.
    const { sets, signs, logger, onUnsaved, now } = deps;
    this.#presence = new RoomPresence(room.roomId, {
      sets,
      signs,
      logger,
      onUnsaved,
      tell: (kind, users) => this.#tell(kind, users),
      onChange: (user, isPresent, isOld) => this.#onPresent(user, isPresent, isOld),
    });
    this.#frames = new PresenceFrames({
      roomId: room.roomId,
      present: this.#presence,
      now,
      isLive: (session) => this.feed.isLive(session),
      sendToLive: (frame, isMeant) => this.feed.sendToLive(frame, isMeant),
    });
    this.#typing = new RoomTyping({
      now,
      tell: (kind, user) => void this.#tell(kind, [user]),
      show: (user, isTyping) => this.#show(isTyping ? SERVER_FRAMES.typing : SERVER_FRAMES.stopTyping, user),
    });
  }

  /** Loads the room; everybody who joins meanwhile waits for the same load. Null, or why it cannot be loaded. */
  opened(): Promise<Rejection | null> {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  async join(session: Participant, after: number | undefined, reset = false): Promise<Joined | Rejection> {
    this.#joining += 1;
    try {
      const joined = (await this.opened()) ?? (await this.feed.join(session, after, reset));
      if (!isRejection(joined)) this.#frames.joined(session);
      return joined;
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

  /** Whether nobody has been here for so long that the room can be forgotten, and the shared set knows that. */
  isAbandoned(now: number): boolean {
    return this.isEmpty && !this.#presence.isUnsaved && now - this.#emptySince >= BOUNDS.emptyRoomMs;
  }

  tick(deadNodes: readonly string[]): void {
    this.#typing.expire();
    for (const node of deadNodes) this.#presence.nodeDied(node);
    this.#frames.tick();
  }

  restorePresence(): Promise<void> {
    return this.#presence.restore();
  }

  renewPresence(): Promise<void> {
    return this.#presence.renew();
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
      this.#presence.depart(user.userId);
    }
  }

  #onPresent(user: PresentUser, isPresent: boolean, isOld: boolean): void {
    if (isPresent) this.#frames.came(user);
    else this.#frames.went(user, isOld);
    if (!this.#frames.isLarge) this.#show(isPresent ? SERVER_FRAMES.userJoined : SERVER_FRAMES.userLeft, user);
  }

  async #tell(kind: RoomSignalKind, users: readonly PresentUser[]): Promise<void> {
    if (users.length === 0) return;
    const { pubSub, signs, logger } = this.#deps;
    const named = users.map(({ userId, username }) => ({ userId, username }));
    try {
      await pubSub.publish(channelOfRoom(this.feed.roomId), formatSignal({ node: signs.nodeId, kind, users: named }));
    } catch (error) {
      logger.debug({ err: error }, 'other nodes could not be told');
    }
  }

  #hear(text: string): void {
    const signal = parseSignal(text);
    const { signs } = this.#deps;
    if (signal === null || signal.node === signs.nodeId) return;
    signs.heard(signal.node);
    switch (signal.kind) {
      case 'present':
      case 'absent':
        this.#presence.hear(signal.node, signal.users, signal.kind === 'present');
        break;
      case 'typing':
      case 'stopped':
        this.#typing.hear(signal.users, signal.kind === 'typing');
        break;
    }
  }

  #show(name: ServerFrameName, { userId, username }: PresentUser): void {
    this.feed.sendToOthers(encodeFrame(name, { roomId: this.feed.roomId, userId, username }), userId);
  }
}
