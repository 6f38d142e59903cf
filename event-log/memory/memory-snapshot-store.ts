// The snapshot store's port in memory, for tests of what stands on it: the same contract as the stores that keep things, and
// faults that can be switched without a server.
import assert from 'node:assert/strict';
import type { ConnectionFaults } from '../event-log-contract.ts';
import {
  MAX_SNAPSHOT_VALUE_BYTES,
  type SnapshotEntry,
  type SnapshotStore,
  SnapshotStoreError,
} from '../snapshot-store.ts';
import { WriteTurns } from '../write-turns.ts';
import { MemoryConnection } from './memory-connection.ts';

/** Entries of one piece that is read: few, so that readers meet several pieces. */
const PIECE_ENTRIES = 7;
const TIMEOUT_MS = 500;

/** What a memory store holds: every entry there ever was, in the order in which they came. */
export class MemorySnapshots {
  readonly #entriesByPartition = new Map<number, SnapshotEntry[]>();
  #connections = 0;

  /** The number of a new connection. */
  connect(): number {
    return ++this.#connections;
  }

  write(partition: number, entries: readonly SnapshotEntry[]): void {
    this.#of(partition).push(...entries.map(({ key, value }) => ({ key, value: value && Buffer.from(value) })));
  }

  entries(partition: number): readonly SnapshotEntry[] {
    return [...this.#of(partition)];
  }

  /** Leaves the newest entry of each key, and of deleted ones none. */
  compact(partition: number): void {
    const valueByKey = new Map<string, Buffer>();
    for (const { key, value } of this.#of(partition)) {
      valueByKey.delete(key);
      if (value !== null) valueByKey.set(key, value);
    }
    const left = [...valueByKey].map(([key, value]) => ({ key, value }));
    this.#entriesByPartition.set(partition, left);
  }

  #of(partition: number): SnapshotEntry[] {
    const entries = this.#entriesByPartition.get(partition) ?? [];
    this.#entriesByPartition.set(partition, entries);
    return entries;
  }
}

export type MemorySnapshotFaults = ConnectionFaults & {
  /** After so many more entries writing fails, in the middle of a write if need be, until `mend`. */
  breakAfter(entries: number): void;
  mend(): void;
  /** The writes that failed, each of which may arrive at any time. */
  failed(): readonly { partition: number; entries: readonly SnapshotEntry[] }[];
};

/** A handle on the store with a connection of its own, which `faults` breaks. */
export function openMemorySnapshotStore(
  snapshots: MemorySnapshots,
  options: { timeoutMs?: number } = {},
): { store: SnapshotStore; faults: MemorySnapshotFaults } {
  const connection = new MemoryConnection({
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    latencyMs: 0,
    seed: snapshots.connect(),
  });
  const store = new MemorySnapshotStore(snapshots, connection);
  const faults: MemorySnapshotFaults = {
    ...connection.faults,
    breakAfter: (entries) => {
      store.entriesLeft = entries;
    },
    mend: () => {
      store.entriesLeft = Number.POSITIVE_INFINITY;
    },
    failed: () => store.failed,
  };
  return { store, faults };
}

class MemorySnapshotStore implements SnapshotStore {
  readonly failed: { partition: number; entries: readonly SnapshotEntry[] }[] = [];
  entriesLeft = Number.POSITIVE_INFINITY;
  readonly #snapshots: MemorySnapshots;
  readonly #connection: MemoryConnection;
  readonly #turns = new WriteTurns();

  constructor(snapshots: MemorySnapshots, connection: MemoryConnection) {
    this.#snapshots = snapshots;
    this.#connection = connection;
  }

  async write(partition: number, entries: readonly SnapshotEntry[]): Promise<void> {
    for (const { key, value } of entries) assert.ok((value?.length ?? 0) <= MAX_SNAPSHOT_VALUE_BYTES, key);
    await this.#turns.take(partition, async () => {
      const kept = entries.slice(0, this.entriesLeft);
      this.entriesLeft -= kept.length;
      try {
        await this.#connection.ask('write', () => this.#snapshots.write(partition, kept));
        if (kept.length < entries.length) throw new Error('broken on purpose');
      } catch (error) {
        this.failed.push({ partition, entries });
        throw new SnapshotStoreError('the memory store failed', { cause: error });
      }
    });
  }

  async *read(partition: number): AsyncGenerator<readonly SnapshotEntry[]> {
    const entries = await this.#ask(() => this.#snapshots.entries(partition));
    for (let at = 0; at < entries.length; at += PIECE_ENTRIES) {
      yield entries.slice(at, at + PIECE_ENTRIES);
      await this.#ask(() => undefined);
    }
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  async #ask<Answer>(request: () => Answer): Promise<Answer> {
    try {
      return await this.#connection.ask('read', request);
    } catch (error) {
      throw new SnapshotStoreError('the memory store cannot be reached', { cause: error });
    }
  }
}
