// What the clients of a run know together of its rooms, by what they were told. It lags behind the truth where an answer got lost.

export type RoomKnown = {
  id: string;
  isPrivate: boolean;
  ownerId: string;
  archived: boolean;
  members: Set<string>;
  /** Invited, and did not join since. */
  invited: Set<string>;
};

/** Rooms of one run; then no client makes another. */
const MAX_ROOMS = 30;

export class Rooms {
  readonly #rooms = new Map<string, RoomKnown>();
  #making = 0;

  get all(): readonly RoomKnown[] {
    return [...this.#rooms.values()];
  }

  get open(): readonly RoomKnown[] {
    return this.all.filter((room) => !room.archived);
  }

  of(userId: string): readonly RoomKnown[] {
    return this.open.filter((room) => room.members.has(userId));
  }

  find(roomId: string): RoomKnown | undefined {
    return this.#rooms.get(roomId);
  }

  /** Whether another one may be made; who asks makes one. */
  mayMake(): boolean {
    if (this.#making >= MAX_ROOMS) return false;
    this.#making += 1;
    return true;
  }

  add(id: string, ownerId: string, isPrivate: boolean): void {
    const members = new Set([ownerId]);
    this.#rooms.set(id, { id, isPrivate, ownerId, archived: false, members, invited: new Set() });
  }
}
