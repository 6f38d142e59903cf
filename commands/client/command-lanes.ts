/* One lane for each partition of the log (command-lane.ts), so that a room that is held up holds up its partition alone. A command's
 * time is up after DEADLINE_MS: then it is told what is known, which may be nothing.
 */
import assert from 'node:assert/strict';
import type { Logger } from '../../platform/logger.ts';
import type { Command } from '../../schemas/commands.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { reject } from '../../schemas/rejections.ts';
import type { Answer } from '../partition/waiting-list.ts';
import { CommandLane, type LaneRequest } from './command-lane.ts';

export type CommandLanesDeps = {
  partitions: number;
  /** As CommandLaneDeps.post, for commands of that partition. */
  post: (partition: number, request: LaneRequest, signal: AbortSignal) => Promise<Answer[]>;
  logger: Logger;
};

/** Longer than the deciding side waits (LIMITS.commandMs), so that its own answer comes first, and below 2 s. */
const DEADLINE_MS = 1_900;
/** How often it is looked who has waited too long. By the clock: counted ticks come late on a busy machine, and add up. */
const TICK_MS = 50;

export class CommandLanes {
  readonly #lanes: readonly CommandLane[];
  #isClosed = false;
  #ticker: NodeJS.Timeout | undefined;

  constructor({ partitions, post, logger }: CommandLanesDeps) {
    this.#lanes = Array.from(
      { length: partitions },
      (_, partition) => new CommandLane({ post: (request, signal) => post(partition, request, signal), logger }),
    );
  }

  isEmpty(partition: number): boolean {
    return this.#lane(partition).isEmpty;
  }

  /** `hops`: how often the command was passed on before it came here. Refused with `busy` beyond LIMITS.commandsPerPartition waiting ones. */
  push(partition: number, command: Command, hops: number): Promise<Answer> {
    if (this.#isClosed) return Promise.resolve(reject('unavailable'));
    const lane = this.#lane(partition);
    if (lane.untaken >= LIMITS.commandsPerPartition) return Promise.resolve(reject('busy'));
    this.#startTicker();
    return lane.push(command, hops, performance.now());
  }

  /** These partitions have to go elsewhere from now on. */
  redirect(partitions: Iterable<number>): void {
    for (const partition of partitions) this.#lane(partition).redirect();
  }

  /** Tells what still waits what is known of it, and refuses everything from now on. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#ticker);
    for (const lane of this.#lanes) lane.giveUpUntil(Number.POSITIVE_INFINITY);
  }

  #lane(partition: number): CommandLane {
    const lane = this.#lanes[partition];
    assert(lane, `the log has no partition ${partition}`);
    return lane;
  }

  #startTicker(): void {
    this.#ticker ??= setInterval(() => {
      const longAgo = performance.now() - DEADLINE_MS;
      for (const lane of this.#lanes) lane.giveUpUntil(longAgo);
      if (!this.#lanes.every((lane) => lane.isEmpty)) return;
      clearInterval(this.#ticker);
      this.#ticker = undefined;
    }, TICK_MS);
  }
}
