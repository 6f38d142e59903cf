// A node's view of who is in a room: by user, the nodes on which the user has a joined socket. Most users are on one node, and a
// room may have very many, so one node takes two fields and only further ones a map.
import type { PresentUser } from '../../schemas/presence.ts';

/** `missed`: the number of looks at the shared set in a row in which the user's entry of that node was missing. */
type UserView = { username: string; node: string; missed: number; more: Map<string, number> | null };

export class PresentUsers {
  readonly #viewByUser = new Map<string, UserView>();

  get count(): number {
    return this.#viewByUser.size;
  }

  *all(): Iterable<PresentUser> {
    for (const [userId, { username }] of this.#viewByUser) yield { userId, username };
  }

  /** The users on that node. */
  *on(node: string): Iterable<PresentUser> {
    for (const [userId, view] of this.#viewByUser) if (isOn(view, node)) yield { userId, username: view.username };
  }

  countOn(node: string): number {
    let count = 0;
    for (const view of this.#viewByUser.values()) if (isOn(view, node)) count += 1;
    return count;
  }

  /** The name of the user, if on that node. */
  nameOn(node: string, userId: string): string | null {
    const view = this.#viewByUser.get(userId);
    return view && isOn(view, node) ? view.username : null;
  }

  /** The user is on that node. Returns whether the user was on none before. `isNamer`: this node's word on the name counts. */
  add(node: string, user: PresentUser, isNamer = false): boolean {
    const view = this.#viewByUser.get(user.userId);
    if (!view) {
      this.#viewByUser.set(user.userId, { username: user.username, node, missed: 0, more: null });
      return true;
    }
    if (isNamer) view.username = user.username;
    setMissed(view, node, 0);
    return false;
  }

  /** The user is not on that node any more. Returns the user if that was the last one. */
  remove(node: string, userId: string): PresentUser | null {
    const view = this.#viewByUser.get(userId);
    if (!view) return null;
    if (view.node !== node) {
      view.more?.delete(node);
      return null;
    }
    const [next] = view.more ?? [];
    if (next === undefined) {
      this.#viewByUser.delete(userId);
      return { userId, username: view.username };
    }
    [view.node, view.missed] = next;
    view.more?.delete(view.node);
    return null;
  }

  /** Counts one more look without an entry for every user on each of those nodes; `add` sets it back to none. */
  countMissed(isAsked: (node: string) => boolean): void {
    for (const view of this.#viewByUser.values()) {
      if (isAsked(view.node)) view.missed += 1;
      if (view.more === null) continue;
      for (const [node, missed] of view.more) if (isAsked(node)) view.more.set(node, missed + 1);
    }
  }

  /** The users and nodes whose entries were missing in that many looks. */
  missedIn(looks: number): { node: string; userId: string }[] {
    const found: { node: string; userId: string }[] = [];
    for (const [userId, { node, missed, more }] of this.#viewByUser) {
      if (missed >= looks) found.push({ node, userId });
      for (const [other, otherMissed] of more ?? []) if (otherMissed >= looks) found.push({ node: other, userId });
    }
    return found;
  }
}

function isOn(view: UserView, node: string): boolean {
  return view.node === node || (view.more?.has(node) ?? false);
}

function setMissed(view: UserView, node: string, missed: number): void {
  if (view.node === node) {
    view.missed = missed;
    return;
  }
  view.more ??= new Map();
  view.more.set(node, missed);
}
