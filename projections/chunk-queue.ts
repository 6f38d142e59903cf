// Decoded records between the log and the writer. While one chunk is being written, the next one gathers here; when it is full,
// whoever brings more waits (and with it the fetching of that partition), so memory stays bounded however far behind we are.
import assert from 'node:assert/strict';
import type { Chunk, ProjectedRecord } from './sink.ts';

/** A part of one partition's log: at most `maxRecords` records that move its checkpoint from one offset to another. */
export type Slice = { partition: number; from: number; to: number; records: readonly ProjectedRecord[] };

export class ChunkQueue {
  readonly #maxRecords: number;
  #records: ProjectedRecord[] = [];
  #moves = new Map<number, { from: number; to: number }>();
  #closed = false;
  #changed = Promise.withResolvers<void>();

  constructor(maxRecords: number) {
    this.#maxRecords = maxRecords;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get isFull(): boolean {
    return this.#records.length >= this.#maxRecords;
  }

  /**
   * Adds the slice to the chunk that is gathering, waiting first while that one is full. A chunk so has fewer than twice
   * `maxRecords`. Does nothing once the queue is closed.
   */
  async push(slice: Slice): Promise<void> {
    while (this.isFull && !this.#closed) await this.#changed.promise;
    if (this.#closed) return;
    const { partition, from, to } = slice;
    const move = this.#moves.get(partition);
    assert(move === undefined || move.to === from, `partition ${partition} goes on at ${from} after ${move?.to}`);
    this.#moves.set(partition, { from: move?.from ?? from, to });
    for (const record of slice.records) this.#records.push(record);
    this.#notify();
  }

  /** Everything that has gathered, as soon as there is something; null once the queue is closed. */
  async take(): Promise<Chunk | null> {
    while (this.#moves.size === 0 && !this.#closed) await this.#changed.promise;
    if (this.#closed) return null;
    const chunk = { records: this.#records, moves: this.#moves };
    this.#records = [];
    this.#moves = new Map();
    this.#notify();
    return chunk;
  }

  /** Releases everybody who waits; what has gathered is dropped, and read again from the checkpoint. */
  close(): void {
    this.#closed = true;
    this.#notify();
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
