import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { createLogger } from '../../platform/logger.ts';
import { until } from '../contract/log-probe.ts';
import type { LogBatch } from '../event-log.ts';
import { PartitionFollower } from './partition-follower.ts';

/** One partition whose head a test moves, and every look at it. */
class Partition {
  head = 0;
  readonly reads: number[] = [];
  readonly waits: number[] = [];
  #wake = Promise.withResolvers<void>();

  grow(head: number): void {
    this.head = head;
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }

  readBatch(from: number): LogBatch {
    this.reads.push(from);
    return this.#batch();
  }

  recentBatch(from: number): LogBatch | null {
    return from < this.head ? this.#batch() : null;
  }

  async waitBeyond(offset: number, signal: AbortSignal): Promise<void> {
    this.waits.push(offset);
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    while (this.head <= offset && !signal.aborted) await Promise.race([this.#wake.promise, stopped]);
  }

  #batch(): LogBatch {
    return { partition: 0, records: [], nextOffset: this.head, head: this.head };
  }
}

describe('a follower of the log in PostgreSQL', () => {
  it('asks PostgreSQL where it begins, and not again while what follows is in memory: also not at the head', async () => {
    const partition = new Partition();
    partition.grow(3);
    const handled: number[] = [];
    const follower = new PartitionFollower(
      {
        readBatch: (_, from) => Promise.resolve(partition.readBatch(from)),
        recentBatch: (_, from) => partition.recentBatch(from),
        watch: {
          start: () => undefined,
          waitBeyond: (_, offset, signal) => partition.waitBeyond(offset, signal),
        },
        logger: createLogger('test', 'silent'),
      },
      { from: new Map([[0, 0]]), handle: async ({ nextOffset }) => void handled.push(nextOffset) },
    );
    const running = follower.run();
    for (const head of [4, 7]) {
      await until('it waits at the head', () => partition.waits.includes(partition.head));
      partition.grow(head);
    }
    await until('it waits again', () => partition.waits.includes(7));
    await follower.stop();
    await running;
    assert.deepEqual(handled, [3, 4, 7]);
    assert.deepEqual(partition.reads, [0]);
  });
});
