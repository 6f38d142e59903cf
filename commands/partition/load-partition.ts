// How an owner gets its partition's state: from the snapshot and the log behind it, or where there is no snapshot that fits, from the
// log's beginning. A snapshot saves time and nothing else: whatever is wrong with it, the log is read instead.
import { decodeBatch } from '../../event-log/codec/decode-batch.ts';
import { LogUnavailableError } from '../../event-log/event-log.ts';
import { type SnapshotStore, SnapshotStoreError } from '../../event-log/snapshot-store.ts';
import type { Logger } from '../../platform/logger.ts';
import type { Time } from '../../platform/time.ts';
import { type PartitionSnapshot, PartitionState, type PartitionStateDeps } from './partition-state.ts';
import { type FoundSnapshot, readSnapshot, SnapshotUnusableError } from './read-snapshot.ts';

export type PartitionLoaderDeps = PartitionStateDeps & {
  snapshots: SnapshotStore | null;
  logger: Logger;
  time: Time;
  /** Aborts when nobody needs the state any more. */
  signal: AbortSignal;
};

export type LoadedPartition = {
  state: PartitionState;
  /** What the snapshot that it was made from holds; null where it was made from the log alone. */
  snapshot: { rooms: number; events: number } | null;
  /** As FoundSnapshot.highestSet; null where the store could not be read. */
  highestSet: number | null;
};

/** Times that something is asked, milliseconds between them, and altogether: beyond that reading the log is quicker than waiting. */
const ATTEMPTS = 3;
const PAUSE_MS = 200;
const PATIENCE_MS = 2_000;

export class PartitionLoader {
  readonly #deps: PartitionLoaderDeps;
  #loading: LoadedPartition | null = null;
  /** Whether a stream that breaks is a fault of the log: until a snapshot has turned out to fit, it is one of the snapshot. */
  #isTrusted = false;

  constructor(deps: PartitionLoaderDeps) {
    this.#deps = deps;
  }

  /**
   * The state at the log's head. May be called again after a failure: it goes on where it stopped. Throws what reading the log
   * throws, and LogUnavailableError when the signal aborts.
   */
  async load(): Promise<LoadedPartition> {
    // First of all, because a store that is away together with the log will be back with it.
    await this.#deps.log.head(this.#deps.partition);
    this.#loading ??= await this.#restore();
    try {
      await this.#readToHead(this.#loading);
    } catch (error) {
      if (!(error instanceof SnapshotUnusableError)) throw error;
      this.#loading = this.#fromLog(this.#loading.highestSet, error);
      await this.#readToHead(this.#loading);
    }
    return this.#loading;
  }

  async #restore(): Promise<LoadedPartition> {
    const { snapshots, logger } = this.#deps;
    if (snapshots === null) return this.#fromLog(null, null);
    const found = await this.#findSnapshot(snapshots);
    if (found === null) return this.#fromLog(null, null);
    const { highestSet, snapshot } = found;
    if (snapshot === null) logger.info('there is no snapshot to begin with: the log is read from its beginning');
    if (snapshot === null || snapshot instanceof SnapshotUnusableError) return this.#fromLog(highestSet, snapshot);
    const misfit = await this.#misfitOf(snapshot);
    if (misfit !== null) return this.#fromLog(highestSet, misfit);
    const onBroken = (stream: string, reason: string) => {
      if (this.#isTrusted) this.#deps.onBroken(stream, reason);
      else throw new SnapshotUnusableError(`the log does not go on from it, stream ${stream}: ${reason}`);
    };
    const state = new PartitionState({ ...this.#deps, onBroken }, snapshot);
    return { state, snapshot: { rooms: snapshot.rooms.size, events: snapshot.events }, highestSet };
  }

  #fromLog(highestSet: number | null, reason: SnapshotUnusableError | null): LoadedPartition {
    const { logger } = this.#deps;
    if (reason !== null) logger.warn({ err: reason }, 'the snapshot is of no use: the log is read from its beginning');
    return { state: new PartitionState(this.#deps), snapshot: null, highestSet };
  }

  /** Null where the store could not be read. */
  async #findSnapshot(snapshots: SnapshotStore): Promise<FoundSnapshot | null> {
    const { partition, time, signal, logger, bounds } = this.#deps;
    const began = time.now();
    for (let attempt = 1; ; attempt++) {
      try {
        return await readSnapshot(snapshots.read(partition), time, bounds);
      } catch (error) {
        if (!(error instanceof SnapshotStoreError)) throw error;
        if (attempt === ATTEMPTS || time.now() - began > PATIENCE_MS || signal.aborted) {
          logger.warn({ err: error }, 'the snapshot store cannot be read: the log is read from its beginning');
          return null;
        }
      }
      await time.pause(PAUSE_MS, signal);
    }
  }

  /** Whether the log is the one that the snapshot was made of: it has the snapshot's last event where that was. */
  async #misfitOf({ rooms, nextOffset, lastEvent }: PartitionSnapshot): Promise<SnapshotUnusableError | null> {
    const { log, codec, partition, time, signal } = this.#deps;
    let end = Math.max(nextOffset, lastEvent.offset + 1);
    for (const { lastOffset } of rooms.values()) end = Math.max(end, lastOffset + 1);
    // A leader that is new may not know yet how much of its log is acknowledged.
    for (let attempt = 1; (await log.head(partition)) < end; attempt++) {
      if (attempt === ATTEMPTS) return new SnapshotUnusableError(`it reaches to ${end}, and the log does not`);
      await time.pause(PAUSE_MS, signal);
    }
    for await (const batch of log.read(partition, lastEvent.offset, lastEvent.offset + 1)) {
      const { records } = await decodeBatch(codec, batch);
      for (const record of records) {
        if ('event' in record && record.event.metadata.eventId === lastEvent.eventId) return null;
      }
    }
    return new SnapshotUnusableError(`at offset ${lastEvent.offset} the log has another event: it is another log`);
  }

  async #readToHead({ state, snapshot }: LoadedPartition): Promise<void> {
    const { log, partition, signal } = this.#deps;
    await state.readTo(Math.max(state.roomsEnd, await log.head(partition)), undefined, signal);
    if (signal.aborted) throw new LogUnavailableError('the partition is not wanted any more');
    if (snapshot === null) return;
    let versions = 0;
    for (const room of state.rooms.values()) versions += room.state.version;
    if (versions !== state.events) {
      throw new SnapshotUnusableError(`its rooms have had ${versions} events, and the log ${state.events}`);
    }
    this.#isTrusted = true;
  }
}
