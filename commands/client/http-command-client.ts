/* Commands from another process, over HTTP, to whichever process of the commands role owns the room's partition.
 *
 * Any of them takes any command and passes on what is not its own, so it is enough to reach one: `urls`. Who owns what is learnt
 * from them, and then commands go to the owner directly. An owner that does not answer is left alone for a moment, and the commands
 * go by one of `urls`: its process was killed, or is frozen, and the others will know first who takes over.
 */
import assert from 'node:assert/strict';
import { partitionOf } from '../../event-log/partition-of.ts';
import type { Logger } from '../../platform/logger.ts';
import { type Command, streamOfRoom } from '../../schemas/commands.ts';
import type { Answer } from '../partition/waiting-list.ts';
import type { LaneRequest } from './command-lane.ts';
import { CommandLanes } from './command-lanes.ts';
import type { CommandPort } from './command-port.ts';
import type { Owners } from './command-wire.ts';
import { CommandsHttp } from './commands-http.ts';

export type HttpCommandClientOptions = {
  /** Where processes of the commands role are, as `http://host:port`: one at least. */
  urls: readonly string[];
  /** The secret that both sides have. */
  secret: string;
  /** Of the log. */
  partitions: number;
  logger: Logger;
};

/** Requests to one process at a time: as many lanes as may be under way to it; more wait for one of these connections. */
const CONNECTIONS = 16;
/** Milliseconds for which an address that did not answer is passed over. */
const AVOID_MS = 1_000;
const CHECK_MS = 1_000;
const NO_OWNERS: Owners = { version: '', owners: [] };

export class HttpCommandClient implements CommandPort {
  readonly #urls: readonly string[];
  readonly #partitions: number;
  readonly #logger: Logger;
  readonly #http: CommandsHttp;
  readonly #lanes: CommandLanes;
  readonly #avoidUntilByAddress = new Map<string, number>();
  #owners = NO_OWNERS;
  #isLearning = false;
  #nextUrl = 0;

  constructor({ urls, secret, partitions, logger }: HttpCommandClientOptions) {
    assert(urls.length > 0, 'there must be an address of the commands role');
    this.#urls = urls;
    this.#partitions = partitions;
    this.#logger = logger.child({ component: 'command-client' });
    this.#http = new CommandsHttp({ secret, connections: CONNECTIONS });
    this.#lanes = new CommandLanes({
      partitions,
      post: (partition, request, signal) => this.#post(partition, request, signal),
      logger: this.#logger,
    });
  }

  execute(command: Command): Promise<Answer> {
    return this.#lanes.push(partitionOf(streamOfRoom(command.body.roomId), this.#partitions), command, 0);
  }

  /** Rejects when no process of the commands role answers; for /ready. */
  async check(): Promise<void> {
    const check = async (url: string): Promise<void> => {
      const response = await fetch(new URL('/health', url), { signal: AbortSignal.timeout(CHECK_MS) });
      if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    };
    await Promise.any(this.#urls.map(check));
  }

  /** Tells what still waits what is known of it, and closes the connections. */
  close(): void {
    this.#lanes.close();
    this.#http.close();
  }

  async #post(partition: number, request: LaneRequest, signal: AbortSignal): Promise<Answer[]> {
    const address = this.#addressFor(partition);
    try {
      const { answers, ownersVersion } = await this.#http.post(address, request, { hops: 0, signal });
      if (ownersVersion !== '' && ownersVersion !== this.#owners.version) void this.#learnOwners(address);
      return answers;
    } catch (error) {
      // Also when it was given up: nobody answered for as long as the commands had.
      this.#avoidUntilByAddress.set(address, performance.now() + AVOID_MS);
      throw error;
    }
  }

  /** The owner; one of the given addresses in turn where it is not known or does not answer. */
  #addressFor(partition: number): string {
    const owner = this.#owners.owners[partition];
    if (owner && !this.#isAvoided(owner)) return owner;
    for (const _ of this.#urls) {
      const url = this.#urls[this.#nextUrl++ % this.#urls.length];
      if (url && !this.#isAvoided(url)) return url;
    }
    return this.#urls[this.#nextUrl++ % this.#urls.length] ?? '';
  }

  #isAvoided(address: string): boolean {
    const until = this.#avoidUntilByAddress.get(address) ?? 0;
    if (until > performance.now()) return true;
    this.#avoidUntilByAddress.delete(address);
    return false;
  }

  /** One question at a time. What fails is asked again with the next answer that says something new. */
  async #learnOwners(address: string): Promise<void> {
    if (this.#isLearning) return;
    this.#isLearning = true;
    try {
      this.#owners = await this.#http.owners(address);
    } catch (error) {
      this.#logger.debug({ err: error, address }, 'the owners of the partitions could not be asked for');
    } finally {
      this.#isLearning = false;
    }
  }
}
