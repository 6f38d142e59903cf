// Who is typing in a room. A mark that is not repeated expires on every node by itself, so neither a client that vanished nor a
// node that died leaves somebody typing for ever.
import { LIMITS } from '../../schemas/limits.ts';
import type { PresentUser } from './room-presence.ts';
import type { RoomSignalKind } from './room-signals.ts';

export type TypingDeps = {
  tell: (kind: RoomSignalKind, user: PresentUser) => void;
  /** Tells this node's sockets. */
  show: (user: PresentUser, isTyping: boolean) => void;
  now: () => number;
};

type Mark = { username: string; expiresAt: number; shownAt: number };

export class RoomTyping {
  readonly #deps: TypingDeps;
  readonly #markByUser = new Map<string, Mark>();

  constructor(deps: TypingDeps) {
    this.#deps = deps;
  }

  /** A client of this node types. Repeats only put off the expiry, and are passed on at most twice in LIMITS.typingMs. */
  type(user: PresentUser): void {
    if (this.#renew(user)) this.#deps.tell('typing', user);
  }

  stop(user: PresentUser): void {
    if (this.#end(user.userId)) this.#deps.tell('stopped', user);
  }

  /** Another node says so. */
  hear(user: PresentUser, isTyping: boolean): void {
    if (isTyping) this.#renew(user);
    else this.#end(user.userId);
  }

  expire(): void {
    const now = this.#deps.now();
    for (const [userId, { expiresAt }] of this.#markByUser) if (expiresAt <= now) this.#end(userId);
  }

  /** Whether this was news, and therefore shown. */
  #renew(user: PresentUser): boolean {
    const now = this.#deps.now();
    const mark = this.#markByUser.get(user.userId);
    const isNews = mark === undefined || now - mark.shownAt >= LIMITS.typingMs / 2;
    this.#markByUser.set(user.userId, {
      username: user.username,
      expiresAt: now + LIMITS.typingMs,
      shownAt: isNews ? now : mark.shownAt,
    });
    if (isNews) this.#deps.show(user, true);
    return isNews;
  }

  #end(userId: string): boolean {
    const mark = this.#markByUser.get(userId);
    if (!mark) return false;
    this.#markByUser.delete(userId);
    this.#deps.show({ userId, username: mark.username }, false);
    return true;
  }
}
