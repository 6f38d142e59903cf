// Writes a partition's snapshots in the background, in rounds: what has changed since the last one, then the marker. Nothing here
// may keep a command waiting: rounds run beside the decisions, at a bounded rate, and a store that fails or hangs costs snapshots
// and nothing else. What is written and why it can be relied on stands in snapshot-set.ts.
import { type SnapshotEntry, type SnapshotStore, SnapshotStoreError } from '../../event-log/snapshot-store.ts';
import type { Ids } from '../../platform/ids.ts';
import type { Logger } from '../../platform/logger.ts';
import type { Time } from '../../platform/time.ts';
import type { CommandMetrics } from '../metrics.ts';
import type { PartitionState } from './partition-state.ts';
import { setIdOf } from './snapshot-keys.ts';
import { lookAround, SnapshotSet } from './snapshot-set.ts';

export type SnapshotterDeps = {
  store: SnapshotStore;
  state: PartitionState;
  ids: Ids;
  logger: Logger;
  metrics: CommandMetrics;
  time: Time;
  /** Events after which a round begins. */
  everyEvents: number;
  /** Told of what is no fault of the store but a mistake in here. */
  onBug: (error: unknown) => void;
};

/** Bytes of entries that are written together. */
const WRITE_BYTES = 256 * 1024;
/** Bytes of entries that are made in one go: a millisecond of the decisions' time, some more before the code has been optimized. */
const PACED_BYTES = 32 * 1024;
/** Bytes a second that a partition's rounds write at most, but for the last one. */
const BYTES_PER_SECOND = 4 * 1024 * 1024;
/** Rounds after which the owner looks what else is in the store: junk of others, or a higher set that makes its own worthless. */
const ROUNDS_PER_LOOK = 20;
/** Entries that are deleted together. */
const DELETED_AT_ONCE = 1_000;
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 60_000;
/** Milliseconds that somebody who waits for a round waits at most; then the snapshot stays as old as it was. */
const HURRY_MS = 5_000;

export class Snapshotter {
  readonly #deps: SnapshotterDeps;
  /** Aborts where somebody waits: rounds do not keep to the rate then. */
  #hurry = new AbortController();
  #set: SnapshotSet | null = null;
  /** The number of the highest set we know of; null where the store could not be read. */
  #highestSet: number | null;
  /** As state.events, of the marker that counts. */
  #markedEvents: number;
  #running: Promise<void> | null = null;
  #roundsUntilLook = 0;
  #hasEnded = false;
  #hasToldOfBroken = false;

  /** What was found at loading: the events of the marker that counts, and as FoundSnapshot.highestSet. */
  constructor(deps: SnapshotterDeps, found: { markedEvents: number; highestSet: number | null }) {
    this.#deps = deps;
    this.#markedEvents = found.markedEvents;
    this.#highestSet = found.highestSet;
    deps.state.keepChanged();
  }

  /** To be called when events were folded: begins a round where one is due. */
  noteFolded(): void {
    const { state, metrics, everyEvents } = this.#deps;
    if (this.#hasEnded) return;
    metrics.eventsSinceSnapshot(state.partition, this.#eventsBehind);
    if (this.#running === null && this.#eventsBehind >= everyEvents) void this.#run(this.#catchUpSlowly());
  }

  /**
   * Brings the snapshot up to date, without keeping to the rate. Resolves when that is done, has failed, or has taken HURRY_MS. Never
   * rejects.
   */
  async catchUp(): Promise<void> {
    const { time, logger } = this.#deps;
    this.#hurry.abort();
    const done = new AbortController();
    void this.#catchUpNow().finally(() => done.abort());
    await time.pause(HURRY_MS, done.signal);
    this.#hurry = new AbortController();
    if (!done.signal.aborted)
      logger.warn({ waitedMs: HURRY_MS }, 'the snapshot could not be brought up to date in time');
  }

  /** Resolves when no round runs. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  /** No round begins any more, and the one that runs writes nothing more. */
  end(): void {
    this.#hasEnded = true;
    this.#hurry.abort();
    this.#deps.metrics.eventsSinceSnapshot(this.#deps.state.partition, null);
  }

  get #eventsBehind(): number {
    return this.#deps.state.events - this.#markedEvents;
  }

  /** One at a time, hence `#running` must be null. */
  #run(rounds: Promise<unknown>): Promise<void> {
    const running = rounds.then(() => {
      this.#running = null;
    });
    this.#running = running;
    return running;
  }

  async #catchUpSlowly(): Promise<void> {
    const { time, everyEvents } = this.#deps;
    for (let failures = 0; this.#eventsBehind >= everyEvents && !this.#hasEnded; ) {
      if (await this.#round()) failures = 0;
      else if (this.#hurry.signal.aborted) return;
      else await time.pause(Math.min(FIRST_PAUSE_MS * 2 ** failures++, MAX_PAUSE_MS), this.#hurry.signal);
    }
  }

  async #catchUpNow(): Promise<void> {
    await this.#running;
    if (this.#running === null && this.#eventsBehind > 0 && !this.#hasEnded) await this.#run(this.#round());
  }

  /** Whether the snapshot reaches to where the state was at the call. Never rejects. */
  async #round(): Promise<boolean> {
    const { state, metrics, time, logger, onBug } = this.#deps;
    if (this.#isBroken()) return false;
    const began = time.now();
    const written = { bytes: 0 };
    try {
      const set = await this.#ownSet();
      const { events } = state;
      await this.#write(set.round(), written);
      this.#markedEvents = events;
      metrics.snapshotRound('done', (time.now() - began) / 1_000, written.bytes);
      metrics.eventsSinceSnapshot(state.partition, this.#eventsBehind);
      logger.debug(
        { ...written, events, tookMs: Math.round(time.now() - began) },
        'the snapshot was brought up to date',
      );
      await this.#cleanUp(set);
      return true;
    } catch (error) {
      // What was written or will still arrive belongs to a set that nobody goes on with.
      this.#set = null;
      metrics.snapshotRound('failed', (time.now() - began) / 1_000, written.bytes);
      if (!(error instanceof SnapshotStoreError)) onBug(error);
      else if (!this.#hasEnded) logger.warn({ err: error }, 'a snapshot failed: it will be tried again');
      return false;
    }
  }

  /** The state of a partition with a broken stream is a guess, at which nobody shall begin. */
  #isBroken(): boolean {
    const { state, logger } = this.#deps;
    if (state.brokenStreams.size === 0) return false;
    if (!this.#hasToldOfBroken) logger.warn('no snapshots are written while a stream of the partition cannot be read');
    this.#hasToldOfBroken = true;
    return true;
  }

  async #ownSet(): Promise<SnapshotSet> {
    const { store, state, ids } = this.#deps;
    if (this.#set !== null) return this.#set;
    this.#highestSet ??= (await lookAround(store.read(state.partition), null)).highestSet;
    this.#set = new SnapshotSet(setIdOf(++this.#highestSet, ids.next()), state);
    this.#roundsUntilLook = 0;
    return this.#set;
  }

  async #write(entries: Iterable<SnapshotEntry>, written: { bytes: number }): Promise<void> {
    const { time } = this.#deps;
    let batch: SnapshotEntry[] = [];
    let bytes = 0;
    let unpaced = 0;
    let began = time.now();
    for (const entry of entries) {
      batch.push(entry);
      const size = entry.key.length + (entry.value?.length ?? 0);
      bytes += size;
      unpaced += size;
      if (bytes >= WRITE_BYTES) {
        await this.#writeBatch(batch);
        written.bytes += bytes;
        batch = [];
        bytes = 0;
      }
      if (unpaced >= PACED_BYTES) {
        await this.#pace(unpaced, began);
        unpaced = 0;
        began = time.now();
      }
    }
    await this.#writeBatch(batch);
    written.bytes += bytes;
  }

  async #writeBatch(batch: readonly SnapshotEntry[]): Promise<void> {
    const { store, state } = this.#deps;
    if (this.#hasEnded) throw new SnapshotStoreError('the partition is not ours any more');
    await store.write(state.partition, batch);
  }

  /** Resolves when so many bytes may have been written since then; in a later turn at any rate. */
  async #pace(bytes: number, began: number): Promise<void> {
    const { time } = this.#deps;
    const pauseMs = (bytes / BYTES_PER_SECOND) * 1_000 - (time.now() - began);
    if (pauseMs >= 1 && !this.#hurry.signal.aborted) await time.pause(pauseMs, this.#hurry.signal);
    else await time.nextTurn();
  }

  /** Deletes what does not count any more. That fails without harm: nobody reads it, and the next one deletes it. */
  async #cleanUp(set: SnapshotSet): Promise<void> {
    if (this.#hurry.signal.aborted) return;
    try {
      if (this.#roundsUntilLook-- <= 0) await this.#lookAround(set);
      for (let some = set.someObsolete(DELETED_AT_ONCE); some.length > 0; some = set.someObsolete(DELETED_AT_ONCE)) {
        await this.#writeBatch(some);
        set.forgetObsolete(some.length);
      }
    } catch (error) {
      if (!(error instanceof SnapshotStoreError)) throw error;
      this.#deps.logger.warn({ err: error }, 'old snapshots could not be deleted');
    }
  }

  async #lookAround(set: SnapshotSet): Promise<void> {
    const { store, state, logger } = this.#deps;
    const { lower, hasHigher, highestSet } = await lookAround(store.read(state.partition), set.id);
    this.#roundsUntilLook = ROUNDS_PER_LOOK;
    this.#highestSet = highestSet;
    set.addObsolete(lower);
    if (!hasHigher) return;
    // Somebody who owned the partition at the same time: its snapshot would count for ever, and become older and older.
    logger.info('a higher set of snapshots is there: a new one begins with the next round');
    this.#set = null;
  }
}
