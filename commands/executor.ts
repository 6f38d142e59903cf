// Where commands go in, in the process that decides them: each goes to the owner of its room's partition.
import { partitionOf } from '../event-log/partition-of.ts';
import { type Accepted, type Command, streamOfRoom } from '../schemas/commands.ts';
import { type Rejection, reject } from '../schemas/rejections.ts';
import type { CommandPort } from './client/command-port.ts';
import { PartitionOwner, type PartitionOwnerDeps } from './partition-owner.ts';

/** Broken streams that a note names; there may be more. */
const BROKEN_STREAMS_NAMED = 10;

/** Owns the given partitions. Commands of others are refused with `unavailable`. */
export function createExecutor(partitions: readonly number[], deps: PartitionOwnerDeps): Executor {
  const owners = partitions.map((partition) => [partition, new PartitionOwner(partition, deps)] as const);
  return new Executor(deps.log.partitions, new Map(owners), deps);
}

export class Executor implements CommandPort {
  readonly #partitions: number;
  readonly #owners: ReadonlyMap<number, PartitionOwner>;

  constructor(partitions: number, owners: ReadonlyMap<number, PartitionOwner>, deps: PartitionOwnerDeps) {
    this.#partitions = partitions;
    this.#owners = owners;
    deps.metrics.watchQueue(() => [...owners.values()].reduce((sum, owner) => sum + owner.queueLength, 0));
  }

  execute(command: Command): Promise<Accepted | Rejection> {
    const owner = this.#owners.get(partitionOf(streamOfRoom(command.body.roomId), this.#partitions));
    return owner ? owner.execute(command) : Promise.resolve(reject('unavailable', 'nobody here owns the partition'));
  }

  /** Resolves when all partitions are read. Rejects with what run() does. */
  async loaded(): Promise<void> {
    await Promise.all([...this.#owners.values()].map((owner) => owner.loaded()));
  }

  /** Resolves after stop(); rejects when one owner fails, having stopped the others. */
  async run(): Promise<void> {
    try {
      await Promise.all([...this.#owners.values()].map((owner) => owner.run()));
    } finally {
      await this.stop();
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#owners.values()].map((owner) => owner.stop()));
  }

  /** Throws where the log has not answered for a while, naming the partitions. */
  checkLog(): void {
    const failing = [...this.#owners].filter(([, owner]) => owner.isFailing).map(([partition]) => partition);
    if (failing.length > 0) throw new Error(`the log does not answer for partitions ${failing.join(', ')}`);
  }

  /** What an operator should know of streams that cannot be read; undefined where there are none. */
  noteOnStreams(): string | undefined {
    const broken = [...this.#owners.values()].flatMap((owner) => [...owner.brokenStreams]);
    if (broken.length === 0) return undefined;
    return `${broken.length} cannot be read: ${broken.slice(0, BROKEN_STREAMS_NAMED).join(', ')}`;
  }
}
