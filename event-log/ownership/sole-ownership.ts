// The ownership of a process that is alone by design, as the one of `npm start`: nobody to share with, so nothing to ask anybody.
import type { OpenOwnership, Ownership, OwnershipOptions } from './ownership.ts';

/** All partitions are this process's from run() to stop(). */
export function soleOwnership(options: OwnershipOptions): Ownership {
  return new SoleOwnership(options);
}

/** How the roles of a process take part that is alone. */
export function everythingOurs({ partitions }: { partitions: number }): OpenOwnership {
  return (role, onAssigned) => soleOwnership({ role, partitions, address: '', sessionMs: 0, onAssigned });
}

class SoleOwnership implements Ownership {
  readonly #options: OwnershipOptions;
  readonly #stopped = Promise.withResolvers<void>();
  #isStopped = false;

  constructor(options: OwnershipOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { partitions, address, onAssigned } = this.#options;
    const mine = [...Array(partitions).keys()];
    if (!this.#isStopped) onAssigned({ mine, addressByPartition: new Map(mine.map((one) => [one, address])) });
    await this.#stopped.promise;
  }

  async handOver(): Promise<void> {
    // Nobody takes anything: the partitions stay here until the process ends.
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopped.resolve();
  }
}
