/* Where commands go in, in a process of the commands role: to the owner of the room's partition, here or in another process.
 *
 * Ownership is for speed alone. A process that believes it owns a partition decides, and if it is wrong its appends conflict; one that
 * passes a command on to somebody who does not own the partition any more costs a hop. After MAX_HOPS the command is refused with
 * partition_moving; the process that took it from its sender tries again until the command's time is up.
 *
 * The commands of a room stay in their order while its partition moves: what was taken here is brought to an end before anything
 * behind it is passed on, and what waits to be passed on leaves before anything behind it is decided here.
 */
import { createHash } from 'node:crypto';
import type { Assignment } from '../event-log/ownership/ownership.ts';
import { partitionOf } from '../event-log/partition-of.ts';
import type { Logger } from '../platform/logger.ts';
import { type Command, streamOfRoom } from '../schemas/commands.ts';
import { reject } from '../schemas/rejections.ts';
import { type LaneRequest, NotSentError } from './client/command-lane.ts';
import { CommandLanes } from './client/command-lanes.ts';
import type { CommandPort } from './client/command-port.ts';
import { MAX_HOPS, type Owners } from './client/command-wire.ts';
import { CommandsHttp } from './client/commands-http.ts';
import type { Executor } from './executor.ts';
import type { CommandMetrics } from './metrics.ts';
import type { Answer } from './partition/waiting-list.ts';

export type CommandRouterDeps = {
  executor: Executor;
  partitions: number;
  /** What processes of the commands role know each other by; null where there is only this one. */
  secret: string | null;
  metrics: CommandMetrics;
  logger: Logger;
};

/** Requests to one other process at a time; more wait for one of these connections. */
const CONNECTIONS = 16;

export class CommandRouter implements CommandPort {
  readonly #deps: CommandRouterDeps;
  readonly #http: CommandsHttp | null;
  readonly #lanes: CommandLanes;
  #addressByPartition: ReadonlyMap<number, string> = new Map();
  #owners: Owners = { version: '', owners: [] };

  constructor(deps: CommandRouterDeps) {
    const { partitions, secret } = deps;
    const logger = deps.logger.child({ component: 'command-router' });
    this.#deps = deps;
    this.#http = secret === null ? null : new CommandsHttp({ secret, connections: CONNECTIONS });
    this.#lanes = new CommandLanes({
      partitions,
      post: (partition, request, signal) => this.#post(partition, request, signal),
      logger,
    });
  }

  /** Who owns which partition, as this process knows it. */
  get owners(): Owners {
    return this.#owners;
  }

  /** Goes by this assignment from now on: what was to be passed on elsewhere goes to the new owner at once. */
  assign({ mine, addressByPartition }: Assignment): void {
    const before = this.#addressByPartition;
    this.#addressByPartition = addressByPartition;
    this.#owners = toOwners(addressByPartition, this.#deps.partitions);
    this.#deps.executor.assign(mine);
    const moved = this.#owners.owners.flatMap((address, partition) =>
      address === (before.get(partition) ?? '') ? [] : [partition],
    );
    this.#lanes.redirect(moved);
  }

  execute(command: Command): Promise<Answer> {
    return this.executeAfter(command, 0);
  }

  /** As execute(), for a command that other processes have passed on so many times. */
  executeAfter(command: Command, hops: number): Promise<Answer> {
    const partition = partitionOf(streamOfRoom(command.body.roomId), this.#deps.partitions);
    const { executor } = this.#deps;
    // Through the lane also while the partition is being read: should it move on before that is done, nothing overtakes.
    if (executor.isDeciding(partition) && this.#lanes.isEmpty(partition)) return executor.execute(partition, command);
    return this.#lanes.push(partition, command, hops);
  }

  /** Tells what waits to be passed on what is known of it. */
  close(): void {
    this.#lanes.close();
    this.#http?.close();
  }

  async #post(partition: number, request: LaneRequest, signal: AbortSignal): Promise<Answer[]> {
    const { executor, metrics } = this.#deps;
    await executor.drained(partition);
    if (signal.aborted) throw new NotSentError('where the commands go has changed');
    const { commands, hops } = request;
    // Called one after the other in one turn: the commands of a room are taken in the order in which they stand here.
    if (executor.owns(partition)) return Promise.all(commands.map((command) => executor.execute(partition, command)));
    const address = this.#addressByPartition.get(partition);
    if (hops >= MAX_HOPS) return commands.map(() => reject('partition_moving'));
    if (address === undefined || this.#http === null) throw new NotSentError('nobody owns the partition now');
    metrics.forwarded(commands.length);
    const { answers } = await this.#http.post(address, request, { hops: hops + 1, signal });
    return answers;
  }
}

function toOwners(addressByPartition: ReadonlyMap<number, string>, partitions: number): Owners {
  const owners = Array.from({ length: partitions }, (_, partition) => addressByPartition.get(partition) ?? '');
  const version = createHash('sha256').update(JSON.stringify(owners)).digest('hex').slice(0, 16);
  return { version, owners };
}
