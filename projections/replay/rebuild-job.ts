// A rebuild as a job: makes a build, proves it and makes it live, in phases that stand in the build's row. Killed at any moment, it goes
// on with the same build where that is when it is run again. Others pause and cancel it through the row.
import { systemTime } from '../../platform/time.ts';
import { buildIndexes } from './build-indexes.ts';
import { type Build, type BuildState, createBuild, dropBuild, keyOfBuild, schemaOfBuild } from './builds.ts';
import { type Flip, flipBuild, lackOf, vectorOf } from './flip.ts';
import { type FoldDeps, foldInto, headsOf } from './fold-into.ts';
import { Governor, type GovernorBounds, type Observation } from './governor.ts';
import {
  beginJob,
  enterState,
  findJob,
  type JobOptions,
  type JobProgress,
  reportProgress,
  type Worker,
} from './job-row.ts';
import { loadLiveVector } from './live-vector.ts';
import { LiveReads, lagOfLive } from './live-watch.ts';
import { Pace } from './pace.ts';
import type { ReplayedProjection, WritingWay } from './replayed-projection.ts';
import { type BuildVerdict, verifyBuild } from './verify-build.ts';

export type RebuildOptions = Pick<GovernorBounds, 'maxLagEvents'> &
  JobOptions & {
    lanes: number;
    /** Undefined: as many as can be. */
    ratePerSecond?: number | undefined;
    /** Undefined: a little more than live reads take before the job begins. */
    maxReadMs?: number | undefined;
    worker: Pick<Worker, 'pid' | 'host'>;
  };

/** What is told to whoever looks on. */
export type RebuildWatch = {
  phase(phase: BuildState | 'flipping', build: Build): void;
  note(text: string): void;
  progress(progress: JobProgress & { isPaused: boolean }): void;
};

export type RebuildEnd =
  | { kind: 'live'; build: number; flip: Flip; verdict: BuildVerdict | null }
  /** It was not to be made live. */
  | { kind: 'ready'; build: number; verdict: BuildVerdict | null }
  | { kind: 'differs'; build: number; verdict: Extract<BuildVerdict, { kind: 'differs' }> }
  | { kind: 'cancelled'; build: number }
  /** By the signal: it can be gone on with. */
  | { kind: 'stopped'; build: number };

/** There is a build that was made already and waits. */
class BuildWaitsError extends Error {
  override readonly name = 'BuildWaitsError';
  readonly code = 'build_waits';
  readonly retryable = false;
}

/** Between two reads of the live tables, and between two judgements of them. */
const READ_MS = 50;
const JUDGE_MS = 500;
/** A read may take so many times what it takes without the job, and so much more that what the clock makes of it does not count. */
const SLOWER = 1.25;
const SLOWER_MS = 0.3;
const REPORT_MS = 1_000;
/** Fewer events than this are left to the flip, which catches up with the rest. */
const NEARLY_THERE = 1_000;
const MAX_ROUNDS = 20;

/** The caller holds the job lock. Throws NothingProjectedError, BuildWaitsError, LiveBehindError, FlipRefusedError, or what folding throws. */
export async function rebuild(
  deps: FoldDeps,
  projection: ReplayedProjection,
  options: RebuildOptions,
  watch: RebuildWatch,
  signal: AbortSignal,
): Promise<RebuildEnd> {
  await loadLiveVector(deps.db, projection);
  const reads = await LiveReads.open(deps.db, projection);
  const maxReadMs = options.maxReadMs ?? (await reads.usual(systemTime)) * SLOWER + SLOWER_MS;
  return new RebuildJob(deps, projection, { ...options, maxReadMs }, reads, watch, signal).run();
}

class RebuildJob {
  readonly #deps: FoldDeps;
  readonly #projection: ReplayedProjection;
  readonly #options: RebuildOptions & GovernorBounds;
  readonly #reads: LiveReads;
  readonly #watch: RebuildWatch;
  readonly #cancelled = new AbortController();
  readonly #ended = new AbortController();
  /** Of the user's wish to stop, and of a cancellation by the row. */
  readonly #signal: AbortSignal;
  readonly #governor: Governor;
  readonly #pace: Pace;
  #seen: Observation = { lagEvents: 0, readMs: null };
  #done = 0;
  #total = 0;

  constructor(
    deps: FoldDeps,
    projection: ReplayedProjection,
    options: RebuildOptions & GovernorBounds,
    reads: LiveReads,
    watch: RebuildWatch,
    signal: AbortSignal,
  ) {
    this.#deps = deps;
    this.#projection = projection;
    this.#options = options;
    this.#reads = reads;
    this.#watch = watch;
    this.#signal = AbortSignal.any([signal, this.#cancelled.signal]);
    this.#governor = new Governor(options);
    const { ratePerSecond } = options;
    this.#pace = new Pace({ governor: this.#governor, time: systemTime, signal: this.#signal, ratePerSecond });
  }

  async run(): Promise<RebuildEnd> {
    const { build, options } = await this.#take();
    const watching = Promise.all([this.#keepObserving(), this.#keepReporting(build)]);
    // Its failure ends the job; it is thrown below.
    watching.catch(() => this.#cancelled.abort());
    try {
      const end = await this.#phases(build, options);
      if (end !== null) return end;
      this.#ended.abort();
      await watching;
      if (!this.#cancelled.signal.aborted) return { kind: 'stopped', build: build.number };
      await dropBuild(this.#deps.db, this.#projection, build.number);
      return { kind: 'cancelled', build: build.number };
    } finally {
      this.#ended.abort();
      // What went wrong in the work itself is thrown rather than that the watch failed as well.
      await watching.catch(() => undefined);
    }
  }

  /** The build to go on with, else a new one. */
  async #take(): Promise<{ build: Build; options: JobOptions }> {
    const { db, clock } = this.#deps;
    const job = await findJob(db, this.#projection);
    if (job?.state === 'ready' || job?.state === 'refused') {
      throw new BuildWaitsError(`build ${job.number} is ${job.state} and waits: flip it or drop it first`);
    }
    const build =
      job ?? (await createBuild(db, this.#projection, { purpose: 'rebuild', fill: 'copy', atMs: clock.now() }));
    const { verifies, flips } = job?.options ?? this.#options;
    if (job !== null) this.#watch.note(`goes on with build ${job.number}, which is ${job.state}`);
    const worker = { ...this.#options.worker, sinceMs: clock.now() };
    await beginJob(db, this.#projection, build.number, { options: { verifies, flips }, worker });
    return { build, options: { verifies, flips } };
  }

  /** Null where the signal ended it. */
  async #phases(build: Build, { verifies, flips }: JobOptions): Promise<RebuildEnd | null> {
    const { number } = build;
    let { state } = build;
    const enter = async (next: BuildState): Promise<void> => {
      state = next;
      await enterState(this.#deps.db, this.#projection, number, next, this.#deps.clock.now());
    };
    this.#watch.phase(state, build);
    if (state === 'copying') {
      if (!(await this.#fold(number, 'copy', await headsOf(this.#deps.log)))) return null;
      await enter('indexing');
      this.#watch.phase(state, build);
    }
    if (state === 'indexing') {
      if (!(await this.#index(number))) return null;
      await enter('catching-up');
      this.#watch.phase(state, build);
    }
    if (state === 'catching-up') {
      if (!(await this.#catchUp(number))) return null;
      await enter('verifying');
    }
    const verdict = verifies ? await this.#verify(build) : null;
    if (this.#signal.aborted || (verifies && verdict === null)) return null;
    if (verdict?.kind === 'differs') {
      await enter('refused');
      return { kind: 'differs', build: number, verdict };
    }
    if (!flips) {
      await enter('ready');
      return { kind: 'ready', build: number, verdict };
    }
    this.#watch.phase('flipping', build);
    const flip = await flipBuild(this.#deps, this.#projection, number, this.#signal);
    return { kind: 'live', build: number, flip, verdict };
  }

  async #fold(build: number, way: WritingWay, to: ReadonlyMap<number, number>): Promise<boolean> {
    const at = await vectorOf(this.#deps.db, this.#projection, keyOfBuild(this.#projection, build));
    this.#total = sum(to);
    this.#done = this.#total - lackOf(at, to);
    return foldInto(this.#deps, {
      projection: this.#projection,
      build,
      way,
      to,
      lanes: this.#options.lanes,
      beforeChunk: (partition, events) => this.#pace.beforeChunk(partition, events),
      onChunk: ({ from, to: end }) => {
        this.#done += end - from;
      },
      signal: this.#signal,
    });
  }

  #index(build: number): Promise<boolean> {
    return buildIndexes(this.#deps.db, this.#projection, schemaOfBuild(this.#projection, build), {
      onIndex: ({ name }) => this.#watch.note(`makes ${name}`),
      signal: this.#signal,
    });
  }

  async #catchUp(build: number): Promise<boolean> {
    const key = keyOfBuild(this.#projection, build);
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      if (!(await this.#fold(build, 'rows', await headsOf(this.#deps.log)))) return false;
      const lack = lackOf(await vectorOf(this.#deps.db, this.#projection, key), await headsOf(this.#deps.log));
      if (lack <= NEARLY_THERE) break;
    }
    return true;
  }

  #verify(build: Build): Promise<BuildVerdict | null> {
    this.#watch.phase('verifying', build);
    return verifyBuild(this.#deps, this.#projection, build.number, this.#signal);
  }

  /** Until the job has ended: reads what is live and has the governor judge how that went. */
  async #keepObserving(): Promise<void> {
    for (let judgeAt = 0; !this.#ended.signal.aborted; ) {
      await this.#reads.readOne();
      if (systemTime.now() >= judgeAt) {
        judgeAt = systemTime.now() + JUDGE_MS;
        await this.#judge();
      }
      await systemTime.pause(READ_MS, this.#ended.signal);
    }
  }

  async #judge(): Promise<void> {
    const { db, log, logger } = this.#deps;
    const slowMs = this.#reads.judge();
    if (slowMs === null) return;
    try {
      const lagEvents = await lagOfLive(db, log, this.#projection);
      this.#seen = { lagEvents, readMs: Number.isFinite(slowMs) ? slowMs : null };
    } catch (error) {
      logger.warn({ err: error }, 'the live projection cannot be looked at');
      this.#seen = { lagEvents: this.#seen.lagEvents, readMs: null };
    }
    this.#governor.observe(this.#seen);
  }

  /** Until the job has ended: puts down how far it is and does what the row wants of it. */
  async #keepReporting({ number }: Build): Promise<void> {
    const { db, clock, logger } = this.#deps;
    while (!this.#ended.signal.aborted) {
      const { lagEvents, readMs } = this.#seen;
      const share = this.#governor.share;
      const progress = { done: this.#done, total: this.#total, atMs: clock.now(), share, lagEvents, readMs };
      try {
        const wanted = await reportProgress(db, this.#projection, number, progress);
        this.#pace.isPaused = wanted === 'pause';
        if (wanted === 'cancel') this.#cancelled.abort();
      } catch (error) {
        // The fold has its own patience with a server that is away.
        logger.warn({ err: error }, 'the progress cannot be put down');
      }
      this.#watch.progress({ ...progress, isPaused: this.#pace.isPaused });
      await systemTime.pause(REPORT_MS, this.#ended.signal);
    }
  }
}

function sum(vector: ReadonlyMap<number, number>): number {
  return [...vector.values()].reduce((total, offset) => total + offset, 0);
}
