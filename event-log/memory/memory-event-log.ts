// The event log's port in memory, for tests of what stands on it: the same contract as the adapters that keep things, and
// faults that can be switched without a server.
import assert from 'node:assert/strict';
import {
  type AppendResult,
  type EventLog,
  type FollowOptions,
  type InspectedBatch,
  type LogBatch,
  type LogFollower,
  LogUnavailableError,
  type NewRecord,
  OutcomeUnknownError,
} from '../event-log.ts';
import type { ConnectionFaults } from '../event-log-contract.ts';
import { MemoryConnection } from './memory-connection.ts';
import { createMemoryFollower } from './memory-follower.ts';
import type { MemoryStore } from './memory-store.ts';

const BATCH_ENTRIES = 500;
const TIMEOUT_MS = 500;

/** A handle on the store with a connection of its own, which `faults` breaks. */
export function openMemoryEventLog(
  store: MemoryStore,
  options: { timeoutMs?: number; latencyMs?: number } = {},
): { log: EventLog; faults: ConnectionFaults } {
  const connection = new MemoryConnection({
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    latencyMs: options.latencyMs ?? 0,
    seed: store.connect(),
  });
  return { log: new MemoryEventLog(store, connection), faults: connection.faults };
}

class MemoryEventLog implements EventLog {
  readonly partitions: number;
  readonly #store: MemoryStore;
  readonly #connection: MemoryConnection;
  readonly #followers = new Set<LogFollower>();
  readonly #appending = new Set<number>();

  constructor(store: MemoryStore, connection: MemoryConnection) {
    this.partitions = store.partitions;
    this.#store = store;
    this.#connection = connection;
  }

  async append(partition: number, expectedOffset: number, records: readonly NewRecord[]): Promise<AppendResult> {
    assert(!this.#appending.has(partition), 'two appends of one partition at a time');
    this.#appending.add(partition);
    try {
      return await this.#connection.ask('write', () => {
        const base = this.#store.append(partition, expectedOffset, records);
        if (base === expectedOffset) return { kind: 'appended', firstOffset: base };
        return { kind: 'conflict', head: this.#store.head(partition) };
      });
    } finally {
      this.#appending.delete(partition);
    }
  }

  async barrier(partition: number): Promise<number> {
    try {
      return await this.#connection.ask('write', () => this.#store.barrier(partition));
    } catch (error) {
      // A barrier that may or may not be there does no harm: the caller simply writes another one.
      if (error instanceof OutcomeUnknownError) throw new LogUnavailableError(error.message, { cause: error });
      throw error;
    }
  }

  head(partition: number): Promise<number> {
    return this.#connection.ask('read', () => this.#store.head(partition));
  }

  offsetAt(partition: number, timeMs: number): Promise<number> {
    return this.#connection.ask('read', () => this.#store.offsetAt(partition, timeMs));
  }

  read(partition: number, from: number, to: number): AsyncIterable<LogBatch> {
    return this.#read(from, to, (next) => this.#store.batch(partition, next, to, BATCH_ENTRIES));
  }

  inspect(partition: number, from: number, to: number): AsyncIterable<InspectedBatch> {
    return this.#read(from, to, (next) => this.#store.inspect(partition, next, to, BATCH_ENTRIES));
  }

  async *#read<Batch extends LogBatch | InspectedBatch>(
    from: number,
    to: number,
    batchFrom: (next: number) => Batch,
  ): AsyncIterable<Batch> {
    let next = from;
    do {
      const batch = await this.#connection.ask('read', () => batchFrom(next));
      if (batch.nextOffset === next) return;
      next = batch.nextOffset;
      yield batch;
    } while (next < to);
  }

  follow(options: FollowOptions): LogFollower {
    const follower = createMemoryFollower(this.#store, this.#connection, options, BATCH_ENTRIES);
    this.#followers.add(follower);
    return follower;
  }

  async close(): Promise<void> {
    this.#connection.close();
    await Promise.all([...this.#followers].map((follower) => follower.stop()));
  }
}
