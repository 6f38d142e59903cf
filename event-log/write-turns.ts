// One write of a partition at a time, in the order in which they were asked for: two requests on their way at once could change
// places. Different partitions do not wait for each other.
export class WriteTurns {
  readonly #lastByPartition = new Map<number, Promise<unknown>>();

  /** Does `write` when all earlier ones of the partition have ended, however they did. */
  async take<Result>(partition: number, write: () => Promise<Result>): Promise<Result> {
    const before = this.#lastByPartition.get(partition) ?? Promise.resolve();
    const mine = before.then(write, write);
    // Whoever asked is told of a failure; the next in line only wants to know that it is over.
    const ended = mine.then(
      () => undefined,
      () => undefined,
    );
    this.#lastByPartition.set(partition, ended);
    return await mine;
  }
}
