// When the presence of this node's rooms is renewed in the shared sets: each room's every BOUNDS.presenceRenewMs, spread over that
// time; and of all rooms in a few rounds soon, when the sets have been lost or could not be reached, or signals may have been.
import type { Logger } from '../../platform/logger.ts';
import { BOUNDS } from '../bounds.ts';

export type Renewable = {
  /** Puts the node's entries back. Rejects when the shared sets cannot be reached. */
  restorePresence(): Promise<void>;
  /** The same, and compares the room's view with what others have put there. */
  renewPresence(): Promise<void>;
};

export type RenewalsDeps = {
  rooms: () => IterableIterator<Renewable>;
  roomCount: () => number;
  logger: Logger;
};

const TICK_MS = 1_000;

export class Renewals {
  readonly #deps: RenewalsDeps;
  /** Where the spread renewal has got to. Rooms that are added meanwhile come at its end, those that go are passed over. */
  #next: IterableIterator<Renewable> | null = null;
  #due = 0;
  #rounds = 0;
  #isBusy = false;
  #rested = true;

  constructor(deps: RenewalsDeps) {
    this.#deps = deps;
  }

  /** A round over all rooms with the next tick, and again until BOUNDS.hurriedRounds of them went well. */
  hurry(): void {
    this.#rounds = BOUNDS.hurriedRounds;
  }

  /** Once a second. */
  tick(): void {
    if (this.#isBusy) return;
    if (this.#rounds === 0) {
      void this.#run(this.#takeDue());
    } else if (this.#rested) {
      this.#rested = false;
      this.#rounds -= 1;
      void this.#run(this.#deps.rooms());
    } else {
      // The others need their time to put back what they have, before their entries are missed for the second time.
      this.#rested = true;
    }
  }

  /** Puts the entries of all rooms back; rejects when that fails. */
  async restore(): Promise<void> {
    await inPortions(this.#deps.rooms(), (room) => room.restorePresence());
  }

  *#takeDue(): IterableIterator<Renewable> {
    this.#due += (this.#deps.roomCount() * TICK_MS) / BOUNDS.presenceRenewMs;
    for (; this.#due >= 1; this.#due -= 1) {
      this.#next ??= this.#deps.rooms();
      const { value, done } = this.#next.next();
      if (done) this.#next = null;
      else yield value;
    }
  }

  async #run(rooms: Iterable<Renewable>): Promise<void> {
    this.#isBusy = true;
    try {
      await inPortions(rooms, (room) => room.renewPresence());
    } catch (error) {
      this.#deps.logger.debug({ err: error }, 'presence could not be renewed');
      this.hurry();
    } finally {
      this.#isBusy = false;
    }
  }
}

/** A few rooms at a time. Rejects where none of them can be done: then it goes no further, for the rest would fare alike. */
async function inPortions(rooms: Iterable<Renewable>, action: (room: Renewable) => Promise<void>): Promise<void> {
  let portion: Promise<void>[] = [];
  for (const room of rooms) {
    portion.push(action(room));
    if (portion.length < BOUNDS.renewedAtOnce) continue;
    await settled(portion);
    portion = [];
  }
  await settled(portion);
}

async function settled(portion: Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(portion);
  const failed = outcomes.filter(({ status }) => status === 'rejected');
  const [first] = failed;
  if (first?.status === 'rejected' && failed.length === outcomes.length) throw first.reason;
}
