// The partitions that this process decides for: an owner each, opened when the partition comes to this process and drained when it
// goes to another one.
import type { Command } from '../schemas/commands.ts';
import { reject } from '../schemas/rejections.ts';
import type { Answer } from './partition/waiting-list.ts';
import { PartitionOwner, type PartitionOwnerDeps } from './partition-owner.ts';

/** Broken streams that a note names; there may be more. */
const BROKEN_STREAMS_NAMED = 10;

export class Executor {
  readonly #deps: PartitionOwnerDeps;
  readonly #owners = new Map<number, PartitionOwner>();
  /** Owners that went: they bring what they have taken to an end. */
  readonly #draining = new Map<number, Promise<void>>();
  /** The same, until they have ended altogether. */
  readonly #stoppingOwners = new Set<Promise<void>>();
  readonly #ended = Promise.withResolvers<void>();
  #assigned: ReadonlySet<number> = new Set();
  #stopping: Promise<void> | undefined;

  constructor(deps: PartitionOwnerDeps) {
    this.#deps = deps;
    deps.metrics.watchQueue(() => [...this.#owners.values()].reduce((sum, owner) => sum + owner.queueLength, 0));
    deps.metrics.watchPartitions(() => this.#owners.size);
    // Reported by run(), to whoever called it.
    this.#ended.promise.catch(() => undefined);
  }

  /** From now on this process decides for exactly these partitions. What is under way in others is brought to an end. */
  assign(partitions: readonly number[]): void {
    if (this.#stopping) return;
    this.#assigned = new Set(partitions);
    for (const partition of this.#owners.keys()) if (!this.#assigned.has(partition)) this.#drain(partition);
    // One that comes back while it is being drained is opened when that has ended, so that nobody's commands change places.
    for (const partition of partitions)
      if (!this.#owners.has(partition) && !this.#draining.has(partition)) this.#open(partition);
  }

  owns(partition: number): boolean {
    return this.#owners.has(partition);
  }

  /** Whether commands of the partition are decided here as they come. */
  isDeciding(partition: number): boolean {
    return this.#owners.get(partition)?.isLoaded ?? false;
  }

  /** Resolves when nothing that was taken for a partition that went is under way any more; undefined where nothing is. */
  drained(partition: number): Promise<void> | undefined {
    return this.#draining.get(partition);
  }

  /** As CommandPort.execute, for a partition that is owned here; else refused with partition_moving. */
  execute(partition: number, command: Command): Promise<Answer> {
    const owner = this.#owners.get(partition);
    return owner ? owner.execute(command) : Promise.resolve(reject('partition_moving'));
  }

  /** Resolves when all partitions that are owned now are read. Rejects with what run() does. */
  async loaded(): Promise<void> {
    await Promise.all([...this.#owners.values()].map((owner) => owner.loaded()));
  }

  /** Brings the snapshots of all partitions up to date, in a few seconds at most, while commands are decided as before. */
  async snapshot(): Promise<void> {
    await Promise.all([...this.#owners.values()].map((owner) => owner.snapshot()));
  }

  /** Resolves when the owners of all partitions that went have ended. */
  async allDrained(): Promise<void> {
    await Promise.all(this.#stoppingOwners);
  }

  /** Resolves after stop(). Rejects when one owner fails, having stopped the others. */
  run(): Promise<void> {
    return this.#ended.promise;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  /** Throws where the log has not answered for a while, naming the partitions. */
  checkLog(): void {
    const failing = [...this.#owners].filter(([, owner]) => owner.isFailing).map(([partition]) => partition);
    if (failing.length > 0) throw new Error(`the log does not answer for partitions ${failing.join(', ')}`);
  }

  /** Throws while partitions that came here are still being read, naming them. */
  checkLoaded(): void {
    const loading = [...this.#owners].filter(([, owner]) => !owner.isLoaded).map(([partition]) => partition);
    if (loading.length > 0) throw new Error(`partitions ${loading.join(', ')} are being read`);
  }

  /** What an operator should know of streams that cannot be read; undefined where there are none. */
  noteOnStreams(): string | undefined {
    const broken = [...this.#owners.values()].flatMap((owner) => [...owner.brokenStreams]);
    if (broken.length === 0) return undefined;
    return `${broken.length} cannot be read: ${broken.slice(0, BROKEN_STREAMS_NAMED).join(', ')}`;
  }

  #open(partition: number): void {
    const owner = new PartitionOwner(partition, this.#deps);
    this.#owners.set(partition, owner);
    owner.run().catch((error: unknown) => this.#fail(error));
  }

  #drain(partition: number): void {
    const owner = this.#owners.get(partition);
    if (!owner) return;
    this.#owners.delete(partition);
    const stopped = owner.stop().finally(() => this.#stoppingOwners.delete(stopped));
    this.#stoppingOwners.add(stopped);
    const drained = owner.drained().then(() => {
      this.#draining.delete(partition);
      if (this.#assigned.has(partition) && !this.#stopping) this.#open(partition);
    });
    this.#draining.set(partition, drained);
  }

  #fail(error: unknown): void {
    this.#ended.reject(error);
    void this.stop();
  }

  async #stopAll(): Promise<void> {
    await Promise.all([...this.#owners.values()].map((owner) => owner.stop()));
    await this.allDrained();
    this.#ended.resolve();
  }
}
