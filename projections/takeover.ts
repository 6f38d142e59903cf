// Lets the newest version that this process keeps take over from the live one: looks about once a second how far both are, and moves
// the pointer when the newer one has caught up. Any number of processes may do so; one of them moves it.
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../platform/clock.ts';
import { toDatabaseFault } from '../platform/database-faults.ts';
import type { Logger } from '../platform/logger.ts';
import type { Database } from '../platform/postgres.ts';
import { isRetryable } from '../platform/retryable.ts';
import type { ProjectionKey } from './checkpoints.ts';
import type { BookkeepingTables } from './history/tables.ts';
import { eventsBehind, loadLiveVersion, moveLiveVersion } from './live-version.ts';

/**
 * `caught-up`: a newer version takes over by itself. `verified`: the same, after its tables were compared with a fresh fold of the log.
 * `manual`: somebody moves the pointer.
 */
export const TAKEOVERS = ['caught-up', 'verified', 'manual'] as const;
export type TakeoverMode = (typeof TAKEOVERS)[number];

export type TakeoverOptions = {
  db: Database;
  tables: BookkeepingTables;
  newest: ProjectionKey;
  mode: TakeoverMode;
  /** For `verified`: whether the newest version is what the log says; null when the signal ended it. */
  verify: (signal: AbortSignal) => Promise<boolean | null>;
  clock: Clock;
  logger: Logger;
};

const LOOK_MS = 1_000;
/** Events that the newer version may lack when the live one's writers are stopped: folding them takes less than they are stopped for. */
const NEAR_EVENTS = 5_000;

export class Takeover {
  readonly #options: TakeoverOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #live: number | undefined;
  #behind: number | null = null;
  #toldReason = '';
  /** Whether the newest version was found to be what the log says; null as long as nobody has looked. */
  #isProved: boolean | null = null;

  constructor(options: TakeoverOptions) {
    this.#options = options;
  }

  /** The live version as last seen; undefined before the first look. */
  get live(): number | undefined {
    return this.#live;
  }

  /** For /ready: undefined where the newest version is live. */
  note(): string | undefined {
    const { newest, mode } = this.#options;
    if (this.#live === undefined || this.#live >= newest.version) return undefined;
    const lacks = this.#behind === null ? 'begins' : `lacks ${this.#behind} events`;
    let whose = mode === 'manual' ? '; it is moved by hand' : '';
    if (this.#isProved === false) whose = ' and is not what the log says';
    return `version ${this.#live} is live, version ${newest.version} ${lacks}${whose}`;
  }

  /** Resolves after stop(). Rejects on what trying again cannot heal. */
  run(): Promise<void> {
    this.#running ??= this.#lookAgainAndAgain();
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    // A failed run is reported by run() itself.
    await this.#running?.catch(() => undefined);
  }

  async #lookAgainAndAgain(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#look();
      } catch (error) {
        const fault = toDatabaseFault(error);
        if (!isPassing(fault)) throw fault;
        this.#options.logger.warn({ err: fault }, 'whether a newer version can take over is not known');
      }
      // Being woken up by the signal is the only way in which this timer rejects.
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const { db, tables, newest, mode } = this.#options;
    const pointer = await loadLiveVersion(db, tables, newest.name);
    this.#live = pointer?.version;
    if (pointer === null || pointer.version >= newest.version) return;
    this.#behind = await eventsBehind(db, tables, newest, pointer.version);
    if (mode === 'manual' || newest.version <= pointer.automaticAbove) return;
    if (this.#behind === null || this.#behind > NEAR_EVENTS) return;
    if (mode === 'caught-up' || (await this.#prove())) await this.#takeOver();
  }

  /** Once: what was found different stays so until a build comes that makes it anew. */
  async #prove(): Promise<boolean> {
    if (this.#isProved !== null) return this.#isProved;
    const { newest, verify, logger } = this.#options;
    logger.info(
      { projection: newest.name, version: newest.version },
      'a newer version is verified before it takes over',
    );
    this.#isProved = await verify(this.#stopping.signal);
    if (this.#isProved === false) {
      logger.error({ projection: newest.name, version: newest.version }, 'a newer version is not what the log says');
    }
    return this.#isProved === true;
  }

  async #takeOver(): Promise<void> {
    const { db, tables, newest, clock, logger } = this.#options;
    const outcome = await moveLiveVersion(db, tables, newest, { automatic: true, atMs: clock.now() });
    const { name: projection } = newest;
    switch (outcome.kind) {
      case 'moved':
        this.#live = outcome.to;
        logger.info({ projection, from: outcome.from, to: outcome.to }, 'a newer version took over');
        return;
      case 'unchanged':
        this.#live = outcome.live;
        return;
      case 'refused':
        if (outcome.reason !== this.#toldReason) {
          logger.warn({ projection, reason: outcome.reason }, 'a newer version cannot take over yet');
        }
        this.#toldReason = outcome.reason;
    }
  }
}

/** Tables that are not there before the first projector has made them, or that were exchanged while they were verified. */
const PASSING_CODES: readonly unknown[] = ['42P01', '3F000', 'nothing_projected', 'exchanged_meanwhile'];

function isPassing(error: unknown): boolean {
  return isRetryable(error) || (error instanceof Error && 'code' in error && PASSING_CODES.includes(error.code));
}
