// THE PORT of where snapshots are kept: a small keyed store beside each partition of the log. Three adapters stand behind it
// (kafka/, postgres/, memory/) and one contract suite. It knows nothing of rooms, and what is in it is disposable: the log has
// everything.

/** A null value deletes the key. */
export type SnapshotEntry = { key: string; value: Buffer | null };

export type SnapshotStore = {
  /**
   * Resolves when all entries are kept. They take effect in their order: an entry is never there without those before it. Throws
   * SnapshotStoreError: then some of them may be there, and some may still arrive later, after other writes (a request that was
   * held up on its way); who writes must not use those keys again.
   */
  write(partition: number, entries: readonly SnapshotEntry[]): Promise<void>;
  /**
   * All that was kept before the call, in pieces of bounded size. A key may come several times, the newest value last; a null value
   * says that the key was deleted. Throws SnapshotStoreError.
   */
  read(partition: number): AsyncIterable<readonly SnapshotEntry[]>;
  close(): Promise<void>;
};

/** Bytes of one value at most: a larger one is a bug of the caller. */
export const MAX_SNAPSHOT_VALUE_BYTES = 512 * 1024;

/** The store cannot be reached, or answered with a failure. */
export class SnapshotStoreError extends Error {
  override readonly name = 'SnapshotStoreError';
  readonly code = 'snapshot_store';
  readonly retryable = true;
}
