// The partitions of a follower that reads each in a loop of its own. Loops begin and end one by one; one that fails ends them all,
// because a follower is whole or it has failed.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { FollowOptions, LogBatch, LogFollower } from './event-log.ts';

/** Reads one partition from an offset on until the signal aborts. `hand` hands a batch out, or drops it after that. */
export type FollowPartition = (
  partition: number,
  from: number,
  hand: (batch: LogBatch) => Promise<void>,
  signal: AbortSignal,
) => Promise<void>;

type Loop = { from: number; ending: AbortController; handling: Promise<void> | undefined };

export class PartitionLoops implements LogFollower {
  readonly #handle: FollowOptions['handle'];
  readonly #follow: FollowPartition;
  /** Those that are followed, and those whose last batch is still in hand. */
  readonly #loopByPartition = new Map<number, Loop>();
  /** The end of every loop that has begun: also of one that was removed while it waits for an answer it will drop. */
  readonly #ends = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  #failure: { error: unknown } | undefined;
  #running: Promise<void> | undefined;

  constructor({ from, handle }: Pick<FollowOptions, 'from' | 'handle'>, follow: FollowPartition) {
    this.#handle = handle;
    this.#follow = follow;
    for (const [partition, offset] of from) this.#loopByPartition.set(partition, newLoop(offset));
  }

  run(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  /** Lets batches in hand finish. The failure of run(), if any, is run()'s to report. */
  async stop(): Promise<void> {
    this.#end();
    await this.#running?.catch(() => undefined);
  }

  add(partition: number, from: number): void {
    if (this.#isStopping()) return;
    assert.ok(!this.#loopByPartition.has(partition), `partition ${partition} is followed already`);
    const loop = newLoop(from);
    this.#loopByPartition.set(partition, loop);
    if (this.#running) this.#begin(partition, loop);
  }

  async remove(partition: number): Promise<void> {
    const loop = this.#loopByPartition.get(partition);
    if (!this.#isStopping()) assert.ok(loop && !loop.ending.signal.aborted, `partition ${partition} is not followed`);
    loop?.ending.abort();
    // Its failure is the follower's, and reported there.
    await loop?.handling?.catch(() => undefined);
    this.#loopByPartition.delete(partition);
  }

  async #run(): Promise<void> {
    if (!this.#isStopping()) {
      for (const [partition, loop] of this.#loopByPartition) this.#begin(partition, loop);
      await once(this.#stopping.signal, 'abort');
    }
    await Promise.all(this.#ends);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #begin(partition: number, loop: Loop): void {
    const { signal } = loop.ending;
    const hand = async (batch: LogBatch): Promise<void> => {
      if (signal.aborted) return;
      loop.handling = (async () => this.#handle(batch))();
      await loop.handling;
    };
    const ended = this.#follow(partition, loop.from, hand, signal)
      .catch((error: unknown) => {
        this.#failure ??= { error };
        this.#end();
      })
      .finally(() => this.#ends.delete(ended));
    this.#ends.add(ended);
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  #end(): void {
    this.#stopping.abort();
    for (const { ending } of this.#loopByPartition.values()) ending.abort();
  }
}

function newLoop(from: number): Loop {
  return { from, ending: new AbortController(), handling: undefined };
}
