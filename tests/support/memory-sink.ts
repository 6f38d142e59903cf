// A sink of projections in memory, with the fence and with faults that tests switch. Several projectors may share one.
import type { Chunk, Sink, WriteOutcome } from '../../projections/sink.ts';

export class Away extends Error {
  readonly retryable = true;
}

export class MemorySink implements Sink {
  readonly checkpoints: Map<number, number>;
  /** What was written, by partition. */
  readonly offsets: number[][];
  readonly sizes: number[] = [];
  readonly loaded: (readonly number[])[] = [];
  isAway = false;
  attempts = 0;
  /** Called at the beginning of every write. */
  beforeWrite: (chunk: Chunk) => Promise<void> | void = () => undefined;

  constructor(partitions = 2) {
    this.checkpoints = new Map(Array.from({ length: partitions }, (_, partition) => [partition, 0]));
    this.offsets = Array.from({ length: partitions }, () => []);
  }

  async load(partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    this.loaded.push(partitions);
    if (this.isAway) throw new Away('away');
    return new Map([...this.checkpoints].filter(([partition]) => partitions.includes(partition)));
  }

  async write(chunk: Chunk): Promise<WriteOutcome> {
    this.attempts += 1;
    await this.beforeWrite(chunk);
    if (this.isAway) throw new Away('away');
    for (const [partition, { from }] of chunk.moves) if (this.checkpoints.get(partition) !== from) return 'fenced';
    for (const [partition, { to }] of chunk.moves) this.checkpoints.set(partition, to);
    for (const { partition, record } of chunk.records) this.offsets[partition]?.push(record.offset);
    this.sizes.push(chunk.records.length);
    return 'written';
  }
}
