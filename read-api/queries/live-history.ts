// Which version of the history this process reads: the newest that is live and that its build knows. The live version is looked up
// at the first read and again about once a second, beside the reads and not in them.
//
// A process that goes over to another version never goes back in time: it lets the reads under way end, notes how far the version was
// that they read, and waits until the other one is at least as far, which is some milliseconds; the reads that come meanwhile wait.
import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseUnavailableError } from '../../platform/database-faults.ts';
import type { BookkeepingTables, HistoryTables } from '../../projections/history/tables.ts';

/** Where a version of the history is, and under which key its bookkeeping. */
export type HistoryAt = { name: string; version: number; tables: HistoryTables & BookkeepingTables };

export type LiveHistoryOptions = {
  /** Versions that this build can read, the oldest first. */
  versions: readonly number[];
  at(version: number): HistoryAt;
  /** Null where nobody has said yet which one is live. */
  loadLive(): Promise<number | null>;
  /** By partition: the next offset to be projected into that version. */
  loadCheckpoints(at: HistoryAt): Promise<ReadonlyMap<number, number>>;
  /** Whether a read failed because the tables that it read are not there. */
  isMissing(error: unknown): boolean;
  /** Milliseconds of a clock that only goes forwards. */
  nowMs(): number;
};

/** Age from which on what was looked up is looked up again while reads go on, and from which on they wait for it. */
const LOOK_AGAIN_MS = 1_000;
const TOO_OLD_MS = 5_000;
/** Before projections have said which version is live, it is looked up more often: they are about to. */
const NOT_SAID_MS = 50;
/** How long reads wait for a change of versions; then they go on with the one they had, and the change is tried again later. */
const CHANGE_MS = 500;
const LOOK_AT_OTHER_MS = 5;
/** Until a change that did not come about is tried again. */
const CHANGE_AGAIN_MS = 10_000;
/** Every build's first version: there is no older one that could be live instead. */
const FIRST_VERSION = 1;

export class LiveHistory {
  readonly #options: LiveHistoryOptions;
  readonly #isFixed: boolean;
  #version: number | undefined;
  #lookAgainAtMs = 0;
  #tooOldAtMs = 0;
  #looking: Promise<void> | undefined;
  #changing: Promise<void> | undefined;
  #reads = 0;
  #readsEnded = Promise.withResolvers<void>();

  constructor(options: LiveHistoryOptions) {
    this.#options = options;
    const { versions } = options;
    this.#isFixed = versions.length === 1 && versions[0] === FIRST_VERSION;
    if (this.#isFixed) this.#version = FIRST_VERSION;
  }

  /**
   * The result of the query on the version that is to be read now. Throws what the query throws, and DatabaseUnavailableError where
   * every version of this build is still being made.
   */
  async read<Result>(query: (at: HistoryAt) => Promise<Result>): Promise<Result> {
    const version = await this.#enter();
    try {
      return await this.#leaveAfter(query(this.#options.at(version)));
    } catch (error) {
      if (!this.#options.isMissing(error) || this.#isFixed) throw error;
      // What was live a moment ago may have been dropped since.
      await this.#look();
      if (this.#version === version) throw error;
      return await this.#leaveAfter(query(this.#options.at(await this.#enter())));
    }
  }

  /** The version to be read; the read counts as under way from the moment in which that is decided. */
  async #enter(): Promise<number> {
    if (this.#isFixed) return this.#began(FIRST_VERSION);
    const nowMs = this.#options.nowMs();
    if (this.#version === undefined || nowMs >= this.#tooOldAtMs) await this.#look();
    // Whoever reads next, and waits for it because it is too old, is told what was wrong.
    else if (nowMs >= this.#lookAgainAtMs) void this.#look().catch(() => undefined);
    while (this.#changing !== undefined) await this.#changing;
    if (this.#version === undefined) {
      throw new DatabaseUnavailableError('the history that this build reads is still being made');
    }
    return this.#began(this.#version);
  }

  #began(version: number): number {
    this.#reads += 1;
    return version;
  }

  async #leaveAfter<Result>(asked: Promise<Result>): Promise<Result> {
    try {
      return await asked;
    } finally {
      this.#reads -= 1;
      if (this.#reads === 0) {
        this.#readsEnded.resolve();
        this.#readsEnded = Promise.withResolvers();
      }
    }
  }

  #look(): Promise<void> {
    this.#looking ??= this.#lookUp().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookUp(): Promise<void> {
    const { versions, loadLive } = this.#options;
    const live = await loadLive();
    this.#lookedUp(live === null ? NOT_SAID_MS : LOOK_AGAIN_MS);
    const wanted = versions.findLast((version) => version <= (live ?? FIRST_VERSION));
    if (wanted === this.#version) return;
    if (wanted === undefined || this.#version === undefined) this.#version = wanted;
    else await this.#changeTo(this.#version, wanted);
  }

  #lookedUp(againInMs: number): void {
    this.#lookAgainAtMs = this.#options.nowMs() + againInMs;
    this.#tooOldAtMs = this.#options.nowMs() + Math.max(TOO_OLD_MS, againInMs + LOOK_AGAIN_MS);
  }

  /** Nobody reads anything while it changes. */
  async #changeTo(from: number, to: number): Promise<void> {
    const changed = Promise.withResolvers<void>();
    this.#changing = changed.promise;
    try {
      if (await this.#isAsFar(from, to)) this.#version = to;
      else this.#lookedUp(CHANGE_AGAIN_MS);
    } finally {
      this.#changing = undefined;
      changed.resolve();
    }
  }

  async #isAsFar(from: number, to: number): Promise<boolean> {
    const { at, loadCheckpoints, nowMs } = this.#options;
    const deadlineMs = nowMs() + CHANGE_MS;
    const giveUp = new AbortController();
    const late = delay(CHANGE_MS, undefined, { signal: giveUp.signal }).catch(() => undefined);
    if (this.#reads > 0) await Promise.race([this.#readsEnded.promise, late]);
    giveUp.abort();
    if (this.#reads > 0) return false;
    // Everything that anybody was shown is below this.
    const shown = await loadCheckpoints(at(from));
    for (;;) {
      const other = await loadCheckpoints(at(to));
      if ([...shown].every(([partition, offset]) => (other.get(partition) ?? -1) >= offset)) return true;
      if (nowMs() > deadlineMs) return false;
      await delay(LOOK_AT_OTHER_MS);
    }
  }
}
