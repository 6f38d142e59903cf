// Who is typing in a room. A mark that is not repeated expires on every node by itself, so neither a client that vanished nor a
// node that died leaves somebody typing for ever. However many type at once, few of them are shown, and a few times a second.
import { LIMITS } from '../../schemas/limits.ts';
import type { PresentUser } from '../../schemas/presence.ts';
import type { RoomSignalKind } from './room-signals.ts';

export type TypingDeps = {
  tell: (kind: RoomSignalKind, user: PresentUser) => void;
  /** Tells this node's sockets. */
  show: (user: PresentUser, isTyping: boolean) => void;
  now: () => number;
};

type Mark = { username: string; expiresAt: number; shownAt: number };

const SECOND_MS = 1_000;

export class RoomTyping {
  readonly #deps: TypingDeps;
  /** At most LIMITS.typingShown. Null while nobody types, as in nearly all rooms. */
  #markByUser: Map<string, Mark> | null = null;
  /** `typing` frames since `#second` began. */
  #shown = 0;
  #second = 0;

  constructor(deps: TypingDeps) {
    this.#deps = deps;
  }

  /**
   * A client of this node types. Repeats only put off the expiry, and are passed on at most twice in LIMITS.typingMs. While as many are shown as may be, or
   * were in this second, somebody else's mark is passed over: here, and so for the other nodes.
   */
  type(user: PresentUser): void {
    if (this.#renew(user)) this.#deps.tell('typing', user);
  }

  stop(user: PresentUser): void {
    if (this.#end(user.userId)) this.#deps.tell('stopped', user);
  }

  /** Another node says so. */
  hear(users: readonly PresentUser[], isTyping: boolean): void {
    for (const user of users) {
      if (isTyping) this.#renew(user);
      else this.#end(user.userId);
    }
  }

  expire(): void {
    if (this.#markByUser === null) return;
    const now = this.#deps.now();
    for (const [userId, { expiresAt }] of this.#markByUser) if (expiresAt <= now) this.#end(userId);
  }

  /** Whether this was news, and therefore shown. */
  #renew({ userId, username }: PresentUser): boolean {
    const now = this.#deps.now();
    const mark = this.#markByUser?.get(userId);
    if (mark) mark.expiresAt = now + LIMITS.typingMs;
    if (mark && now - mark.shownAt < LIMITS.typingMs / 2) return false;
    if ((!mark && (this.#markByUser?.size ?? 0) >= LIMITS.typingShown) || !this.#mayShow(now)) return false;
    this.#markByUser ??= new Map();
    this.#markByUser.set(userId, { username, expiresAt: now + LIMITS.typingMs, shownAt: now });
    this.#deps.show({ userId, username }, true);
    return true;
  }

  #mayShow(now: number): boolean {
    if (now - this.#second >= SECOND_MS) {
      this.#second = now;
      this.#shown = 0;
    }
    this.#shown += 1;
    return this.#shown <= LIMITS.typingPerSecond;
  }

  #end(userId: string): boolean {
    const mark = this.#markByUser?.get(userId);
    if (!mark || !this.#markByUser) return false;
    this.#markByUser.delete(userId);
    if (this.#markByUser.size === 0) this.#markByUser = null;
    this.#deps.show({ userId, username: mark.username }, false);
    return true;
  }
}
