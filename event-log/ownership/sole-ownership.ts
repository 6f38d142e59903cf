// For a process that is alone: everything is its own, for as long as it runs.
import type { Ownership, OwnershipOptions } from './ownership.ts';

/** Tells the one assignment there is when it is run. */
export function createSoleOwnership({ partitions, address, onAssigned }: OwnershipOptions): Ownership {
  const ended = Promise.withResolvers<void>();
  return {
    run() {
      const mine = Array.from({ length: partitions }, (_, partition) => partition);
      onAssigned({ mine, addressByPartition: new Map(mine.map((partition) => [partition, address])) });
      return ended.promise;
    },
    handOver: () => Promise.resolve(),
    async stop() {
      ended.resolve();
    },
  };
}
