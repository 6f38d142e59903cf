// Runs one projection over the partitions that are its own: loads how far each is, follows the log from there, and writes chunk after
// chunk. Decoding and fetching go on while a chunk is being written, which is what makes a rebuild fast on two cores.
//
// Guarantees: every record is handed to the sink in the order of its partition; a chunk is retried while the sink is away (that is a
// fault of the world, never a reason to skip a record); a fenced projector drops what it has read and begins again from the
// checkpoints as they are. Which partitions are its own it is told, and may be told wrongly or late: of several projectors that
// believe in the same partition one gets each chunk in, and the others stand by (standing-by.ts). The live path and a rebuild are
// the same code with another sink.
//
// It works in terms. A term ends when a partition comes or goes, when a chunk is fenced, and when a partition has stood by for long
// enough; the next one loads the checkpoints of all own partitions again. So a change costs the partitions that stay one load and
// what was fetched ahead, some milliseconds, and nothing has to be patched in a following that is under way.
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { EventLog, LogBatch, LogFollower, LogRecord } from '../event-log/event-log.ts';
import type { Logger } from '../platform/logger.ts';
import { isRetryable } from '../platform/retryable.ts';
import { ChunkQueue } from './chunk-queue.ts';
import type { Decode } from './decode-records.ts';
import type { ProjectionMetrics } from './metrics.ts';
import { CHUNK_REST, restAfter } from './rest-after.ts';
import type { Chunk, ProjectedRecord, Sink } from './sink.ts';
import { StandingBy } from './standing-by.ts';

export type ProjectorOptions = {
  /** The projection's name, for logs and metrics. */
  name: string;
  log: EventLog;
  decode: Decode;
  sink: Sink;
  /** Records of one chunk; see ChunkQueue for what happens at it. */
  maxRecords: number;
  logger: Logger;
  metrics: ProjectionMetrics;
  /** Its own at the beginning; all of the log where left out, for a projector that is alone. */
  partitions?: readonly number[];
};

const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 2_000;
/** Records decoded in one turn of the event loop: a few milliseconds, which requests served by the same process can bear. */
const SLICE_RECORDS = 500;

export class Projector {
  readonly #options: ProjectorOptions;
  readonly #stopping = new AbortController();
  readonly #standingBy = new StandingBy();
  #running: Promise<void> | undefined;
  #own: readonly number[];
  #term = new AbortController();
  /** What a chunk would have moved that was fenced, until the checkpoints show which of it another projector has moved. */
  #fenced: Chunk['moves'] | undefined;
  #fault: unknown = new Error('not started yet');

  constructor(options: ProjectorOptions) {
    this.#options = options;
    this.#own = options.partitions ?? Array.from({ length: options.log.partitions }, (_, partition) => partition);
    this.#standingBy.assign(this.#own);
    options.metrics.assigned(options.name, this.#own);
  }

  /** Resolves after stop(). Rejects on what trying again cannot heal: a bug, a broken schema, or a log that lost records. */
  run(): Promise<void> {
    this.#running ??= this.#runTerms();
    return this.#running;
  }

  /**
   * From now on these partitions are its own, and all of them. One that is gained is followed from its checkpoint. Of one that is
   * lost, what has gathered is dropped, and the chunk being written may end, which the fence makes safe.
   */
  assign(partitions: readonly number[]): void {
    const sorted = [...new Set(partitions)].sort((left, right) => left - right);
    if (sorted.join() === this.#own.join()) return;
    this.#own = sorted;
    this.#standingBy.assign(sorted);
    this.#options.metrics.assigned(this.#options.name, sorted);
    this.#term.abort();
  }

  /** Begins again from the checkpoints: for when they were set back by something that fences nobody. */
  reload(): void {
    this.#term.abort();
  }

  /** Lets the chunk being written end, drops what has gathered, and resolves when all is quiet. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#term.abort();
    // A failed run is reported by run() itself, to whoever called it.
    await this.#running?.catch(() => undefined);
  }

  /** For /ready: throws while what the projection writes to cannot be reached. */
  check(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }

  async #runTerms(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#term = new AbortController();
      const { signal } = this.#term;
      const own = this.#own;
      const checkpoints = await this.#retrying('load', signal, () => this.#options.sink.load(own));
      if (checkpoints === undefined || signal.aborted) continue;
      this.#options.metrics.loaded(this.#options.name, checkpoints);
      this.#giveWay(checkpoints);
      await this.#work(checkpoints, this.#term);
    }
  }

  #giveWay(checkpoints: ReadonlyMap<number, number>): void {
    if (this.#fenced === undefined) return;
    const partitions = this.#standingBy.fence(this.#fenced, checkpoints, performance.now());
    this.#fenced = undefined;
    if (partitions.length === 0) return;
    const { name, logger } = this.#options;
    logger.warn(
      { projection: name, partitions },
      'another projector moved the checkpoint: leaving it to that one for now',
    );
  }

  /** Resolves when the term is over. */
  async #work(checkpoints: ReadonlyMap<number, number>, term: AbortController): Promise<void> {
    const { name, logger } = this.#options;
    const nowMs = performance.now();
    const from = new Map([...checkpoints].filter(([partition]) => !this.#standingBy.includes(partition, nowMs)));
    const standsByMs = this.#standingBy.nextEndMs(nowMs);
    const timer = standsByMs === undefined ? undefined : setTimeout(() => term.abort(), standsByMs);
    logger.info({ projection: name, from: Object.fromEntries(from) }, 'the projection follows the log');
    try {
      if (from.size > 0) await this.#follow(from, term.signal);
      else await once(term.signal, 'abort');
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when a chunk was fenced or the term is over. */
  async #follow(from: ReadonlyMap<number, number>, signal: AbortSignal): Promise<void> {
    const queue = new ChunkQueue(this.#options.maxRecords);
    const close = (): void => queue.close();
    signal.addEventListener('abort', close);
    const offsets = new Map(from);
    const follower = this.#options.log.follow({
      from,
      handle: (batch) => this.#enqueue(batch, queue, offsets, signal),
      restMs: CHUNK_REST.leastMs,
    });
    const ends = await Promise.allSettled([
      follower.run().finally(close),
      this.#drain(queue, signal).finally(() => endFollowing(queue, follower)),
    ]);
    signal.removeEventListener('abort', close);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  /** Decodes a batch in slices, so that neither a chunk nor a turn of the event loop grows with what the log hands out. */
  async #enqueue(batch: LogBatch, queue: ChunkQueue, offsets: Map<number, number>, signal: AbortSignal): Promise<void> {
    const { decode, metrics, name } = this.#options;
    const { partition, records } = batch;
    const size = Math.min(this.#options.maxRecords, SLICE_RECORDS);
    metrics.read(name, partition, batch.head);
    for (let start = 0; start === 0 || start < records.length; start += size) {
      if (queue.isClosed) return;
      const slice = records.slice(start, start + size);
      const contents = await this.#retrying('decode', signal, () => decode(slice));
      if (contents === undefined) return;
      const from = offsets.get(partition) ?? 0;
      const to = start + size < records.length ? lastOffset(slice) + 1 : batch.nextOffset;
      if (to === from) return;
      offsets.set(partition, to);
      await queue.push({
        partition,
        from,
        to,
        records: slice.map((record, at) => project(partition, record, contents[at])),
      });
    }
  }

  async #drain(queue: ChunkQueue, signal: AbortSignal): Promise<void> {
    const { sink, metrics, name } = this.#options;
    for (let chunk = await queue.take(); chunk !== null; chunk = await queue.take()) {
      const next = chunk;
      const begun = performance.now();
      const stopTimer = metrics.startWriting(name);
      const outcome = await this.#retrying('write', signal, () => sink.write(next));
      stopTimer();
      if (outcome === 'fenced') {
        this.#fenced = next.moves;
        metrics.fenced(name);
      }
      if (outcome !== 'written') return;
      metrics.wrote(name, chunk);
      const restMs = restAfter(performance.now() - begun);
      if (restMs >= 1 && !queue.isFull) await pause(restMs, signal);
    }
  }

  /** The action's result, trying for ever while it fails retryably; undefined when the term is over meanwhile. */
  async #retrying<Result>(
    action: string,
    signal: AbortSignal,
    run: () => Promise<Result>,
  ): Promise<Result | undefined> {
    const { name, logger, metrics } = this.#options;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
      try {
        const result = await run();
        this.#fault = undefined;
        return result;
      } catch (error) {
        if (!isRetryable(error)) throw error;
        this.#fault = error;
        metrics.retried(name);
        logger.warn({ err: error, projection: name, action, pauseMs }, 'the projection cannot write: trying again');
      }
      await pause(pauseMs, signal);
      if (signal.aborted) return undefined;
    }
  }
}

/** For /ready of what others can do without: what check() throws, as a note. */
export function noteOf(projector: Projector): string | undefined {
  try {
    projector.check();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function pause(pauseMs: number, signal: AbortSignal): Promise<void> {
  // Being woken up by the signal is the only way in which this timer rejects.
  await delay(pauseMs, undefined, { signal }).catch(() => undefined);
}

async function endFollowing(queue: ChunkQueue, follower: LogFollower): Promise<void> {
  queue.close();
  await follower.stop();
}

function lastOffset(records: readonly LogRecord[]): number {
  const last = records.at(-1);
  if (last === undefined) throw new RangeError('an empty slice has no last offset');
  return last.offset;
}

function project(
  partition: number,
  record: LogRecord,
  content: ProjectedRecord['content'] | undefined,
): ProjectedRecord {
  if (content === undefined) throw new RangeError('decode must give one content a record');
  return { partition, record, content };
}
