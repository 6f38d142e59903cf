// Who gives way when two projectors believe that a partition is theirs. One of them gets each chunk in; the other is fenced, leaves
// that partition alone for a moment and looks again. Only that partition: what else is its own goes on. So the partition always has
// somebody who works on it, and neither projector spends its time on reading what the other one writes.
import type { Chunk } from './sink.ts';

/** How long a fenced partition is left to the other one, on average; random, so that the two do not come back together. */
const FENCED_PAUSE_MS = 1_000;
/** The same for the first fence after a partition was gained: that was only the last chunk of the one who had it before. */
const HANDED_OVER_PAUSE_MS = 50;

export class StandingBy {
  readonly #untilByPartition = new Map<number, number>();
  /** Partitions that were gained and not fenced since. */
  readonly #fresh = new Set<number>();
  #own = new Set<number>();

  /** Forgets what is no longer ours; what is new begins at once. */
  assign(partitions: readonly number[]): void {
    const own = new Set(partitions);
    for (const partition of this.#own) if (!own.has(partition)) this.#forget(partition);
    for (const partition of own) if (!this.#own.has(partition)) this.#fresh.add(partition);
    this.#own = own;
  }

  /** A chunk with these moves was fenced; `checkpoints` were loaded after that. Returns the partitions that now stand by. */
  fence(moves: Chunk['moves'], checkpoints: ReadonlyMap<number, number>, nowMs: number): number[] {
    const ours = [...moves.keys()].filter((partition) => checkpoints.has(partition));
    const moved = ours.filter((partition) => checkpoints.get(partition) !== moves.get(partition)?.from);
    // Where nothing of ours has moved, one that we have lost since did. If we have lost none, a checkpoint moved away and back
    // again, and going on at once could go round in circles.
    const contested = moved.length === 0 && ours.length === moves.size ? ours : moved;
    for (const partition of contested) {
      const pauseMs = this.#fresh.delete(partition) ? HANDED_OVER_PAUSE_MS : FENCED_PAUSE_MS;
      this.#untilByPartition.set(partition, nowMs + pauseMs * (0.5 + Math.random()));
    }
    return contested;
  }

  /** Whether the partition is left to another projector now. */
  includes(partition: number, nowMs: number): boolean {
    return (this.#untilByPartition.get(partition) ?? nowMs) > nowMs;
  }

  /** Milliseconds until the next partition has stood by for long enough; undefined where none stands by. */
  nextEndMs(nowMs: number): number | undefined {
    const left = [...this.#untilByPartition.values()].map((untilMs) => untilMs - nowMs).filter((ms) => ms > 0);
    return left.length > 0 ? Math.min(...left) : undefined;
  }

  #forget(partition: number): void {
    this.#untilByPartition.delete(partition);
    this.#fresh.delete(partition);
  }
}
