/* What this node's sockets are told of who is present in a room (RT-61 to RT-63).
 *
 * All of them have been told the same: `told` = who is present now, without those who have come since the last tick, and with those
 * who have gone but not for long enough. Who joins is told all of it at the next tick, in one frame that is encoded once for all
 * who joined since; the others are told the difference. So a user who goes and comes back soon is no news to anybody.
 *
 * A large room has the count alone: with names a storm of n sockets would cost n × n frames, or one of n names to each.
 */
import { LIMITS } from '../../schemas/limits.ts';
import type { PresentUser } from '../../schemas/presence.ts';
import type { ServerFrameData } from '../../schemas/server-frames.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { type EncodedFrame, encodeFrame } from '../frames/encoded-frame.ts';
import type { Participant } from './participant.ts';

export type PresenceFramesDeps = {
  roomId: string;
  /** Who is present now, on any node. */
  present: { readonly count: number; present(): Iterable<PresentUser> };
  now: () => number;
  isLive: (session: Participant) => boolean;
  /** To all live sessions of this node for which the condition holds. */
  sendToLive: (frame: EncodedFrame, isMeant: (session: Participant) => boolean) => void;
};

type Gone = { username: string; since: number };

export class PresenceFrames {
  readonly #deps: PresenceFramesDeps;
  /** Null while there are none, as in nearly all rooms at nearly all times. */
  #newcomers: Set<Participant> | null = null;
  /** In a small room: who came since the last tick, and who went and is not told yet, the one who went first first. */
  #came: Map<string, PresentUser> | null = null;
  #gone: Map<string, Gone> | null = null;
  #isLarge = false;
  /** The room has become large or small since the last tick: all of it will be told, so that changes need not be kept. */
  #hasTurned = false;
  /** In a large room: the count that everybody was told, and when. */
  #toldCount = 0;
  #toldAt = 0;

  constructor(deps: PresenceFramesDeps) {
    this.#deps = deps;
  }

  /** Whether more users are present than are told by name. */
  get isLarge(): boolean {
    return this.#isLarge;
  }

  /** The session has joined the room, maybe again. */
  joined(session: Participant): void {
    this.#newcomers ??= new Set();
    this.#newcomers.add(session);
  }

  came(user: PresentUser): void {
    this.#measure();
    if (this.#isLarge || this.#hasTurned || this.#gone?.delete(user.userId)) return;
    this.#came ??= new Map();
    this.#came.set(user.userId, user);
  }

  /** `isCertain`: the user will not be back in a moment. */
  went({ userId, username }: PresentUser, isCertain: boolean): void {
    this.#measure();
    if (this.#isLarge || this.#hasTurned || this.#came?.delete(userId)) return;
    this.#gone ??= new Map();
    this.#gone.set(userId, { username, since: isCertain ? Number.NEGATIVE_INFINITY : this.#deps.now() });
  }

  /** Once a second. */
  tick(): void {
    this.#measure();
    const newcomers = this.#newcomers;
    this.#newcomers = null;
    if (this.#isLarge) this.#tellCount(newcomers);
    else this.#tellNames(newcomers);
    this.#hasTurned = false;
  }

  #measure(): void {
    const { count } = this.#deps.present;
    const isLarge = count > (this.#isLarge ? LIMITS.presenceNames / 2 : LIMITS.presenceNames);
    if (isLarge === this.#isLarge) return;
    this.#isLarge = isLarge;
    this.#hasTurned = true;
    this.#came = null;
    this.#gone = null;
  }

  #tellCount(newcomers: ReadonlySet<Participant> | null): void {
    const { present, now } = this.#deps;
    const { count } = present;
    const isDue = this.#hasTurned || (count !== this.#toldCount && now() - this.#toldAt >= LIMITS.presenceMs);
    if (!isDue && newcomers === null) return;
    const frame = this.#encode({ count, large: true, joined: [], left: [] });
    if (newcomers !== null) this.#sendTo(newcomers, frame);
    if (!isDue) return;
    this.#toldCount = count;
    this.#toldAt = now();
    this.#deps.sendToLive(frame, (session) => !newcomers?.has(session));
  }

  #tellNames(newcomers: ReadonlySet<Participant> | null): void {
    const joined = [...(this.#came?.values() ?? [])];
    this.#came = null;
    const left = this.#takeLeft();
    if (this.#hasTurned) {
      this.#deps.sendToLive(this.#everybody(), () => true);
      return;
    }
    if (newcomers !== null) this.#sendTo(newcomers, this.#everybody());
    if (joined.length === 0 && left.length === 0) return;
    const frame = this.#encode({ count: this.#told().length, large: false, joined, left });
    this.#deps.sendToLive(frame, (session) => !newcomers?.has(session));
  }

  #takeLeft(): PresentUser[] {
    const left: PresentUser[] = [];
    if (this.#gone === null) return left;
    const latest = this.#deps.now() - LIMITS.presenceMs;
    for (const [userId, { username, since }] of this.#gone) {
      if (since > latest) continue;
      this.#gone.delete(userId);
      left.push({ userId, username });
    }
    if (this.#gone.size === 0) this.#gone = null;
    return left;
  }

  #everybody(): EncodedFrame {
    const members = this.#told();
    return this.#encode({ count: members.length, large: false, members, joined: [], left: [] });
  }

  /** After `#came` has been told. */
  #told(): PresentUser[] {
    const gone = [...(this.#gone ?? [])].map(([userId, { username }]) => ({ userId, username }));
    return [...this.#deps.present.present(), ...gone];
  }

  #sendTo(sessions: Iterable<Participant>, frame: EncodedFrame): void {
    for (const session of sessions) if (this.#deps.isLive(session)) session.transport.send(frame);
  }

  #encode(data: Omit<ServerFrameData<typeof SERVER_FRAMES.presence>, 'roomId'>): EncodedFrame {
    return encodeFrame(SERVER_FRAMES.presence, { roomId: this.#deps.roomId, ...data });
  }
}
