// Runs one projection over the log: loads how far it is, follows the log from there, and writes chunk after chunk. Decoding and
// fetching go on while a chunk is being written, which is what makes a rebuild fast on two cores.
//
// Guarantees: every record is handed to the sink in the order of its partition; a chunk is retried for ever while the sink is
// away (that is a fault of the world, never a reason to skip a record); a fenced projector drops what it has read and starts
// again from the checkpoint that the other one left. So any number of projectors of one projection may run: at most one of them
// gets each chunk in, and the others stand by. The live path and a rebuild are the same code with another sink.
import { setTimeout as delay } from 'node:timers/promises';
import type { EventLog, LogBatch, LogFollower, LogRecord } from '../event-log/event-log.ts';
import type { Logger } from '../platform/logger.ts';
import { ChunkQueue } from './chunk-queue.ts';
import type { Decode } from './decode-records.ts';
import type { ProjectionMetrics } from './metrics.ts';
import type { ProjectedRecord, Sink } from './sink.ts';

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
};

const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 2_000;
/** A fenced projector lets the other one work before it looks again, so that two of them do not race for every chunk. */
const FENCED_PAUSE_MS = 1_000;
/**
 * The least time from one chunk's beginning to the next one's, unless a chunk is full: a quiet room's event is projected at once,
 * and under load what comes within this time shares a fetch and a transaction, which cost more than its rows.
 */
const REST_MS = 20;
/** Records decoded in one turn of the event loop: a few milliseconds, which requests served by the same process can bear. */
const SLICE_RECORDS = 500;

export class Projector {
  readonly #options: ProjectorOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #queue: ChunkQueue | undefined;
  #fault: unknown = new Error('not started yet');

  constructor(options: ProjectorOptions) {
    this.#options = options;
  }

  /** Resolves after stop(). Rejects on what trying again cannot heal: a bug, a broken schema, or a log that lost records. */
  run(): Promise<void> {
    this.#running ??= this.#runTerms();
    return this.#running;
  }

  /** Lets the chunk being written end, drops what has gathered, and resolves when all is quiet. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#queue?.close();
    // A failed run is reported by run() itself, to whoever called it.
    await this.#running?.catch(() => undefined);
  }

  /** For /ready: throws while what the projection writes to cannot be reached. */
  check(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }

  /** A term lasts from loading the checkpoints until somebody else moves one. */
  async #runTerms(): Promise<void> {
    const { name, logger } = this.#options;
    while (!this.#isStopping()) {
      const from = await this.#retrying('load', () => this.#options.sink.load());
      if (from === undefined) break;
      this.#options.metrics.loaded(name, from);
      logger.info({ projection: name, from: Object.fromEntries(from) }, 'the projection follows the log');
      await this.#follow(from);
      if (this.#isStopping()) break;
      this.#options.metrics.fenced(name);
      logger.warn({ projection: name }, 'another projector moved the checkpoint: going on from there');
      await this.#pause(FENCED_PAUSE_MS * (0.5 + Math.random()));
    }
  }

  /** Resolves when the writer was fenced or everything stops. */
  async #follow(from: ReadonlyMap<number, number>): Promise<void> {
    const queue = new ChunkQueue(this.#options.maxRecords);
    this.#queue = queue;
    if (this.#isStopping()) queue.close();
    const offsets = new Map(from);
    const follower = this.#options.log.follow({
      from,
      handle: (batch) => this.#enqueue(batch, queue, offsets),
      restMs: REST_MS,
    });
    const ends = await Promise.allSettled([
      follower.run().finally(() => queue.close()),
      this.#drain(queue).finally(() => endFollowing(queue, follower)),
    ]);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  /** Decodes a batch in slices, so that neither a chunk nor a turn of the event loop grows with what the log hands out. */
  async #enqueue(batch: LogBatch, queue: ChunkQueue, offsets: Map<number, number>): Promise<void> {
    const { decode, metrics, name } = this.#options;
    const { partition, records } = batch;
    const size = Math.min(this.#options.maxRecords, SLICE_RECORDS);
    metrics.read(name, partition, batch.head);
    for (let start = 0; start === 0 || start < records.length; start += size) {
      if (queue.isClosed) return;
      const slice = records.slice(start, start + size);
      const contents = await this.#retrying('decode', () => decode(slice));
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

  async #drain(queue: ChunkQueue): Promise<void> {
    const { sink, metrics, name } = this.#options;
    for (let chunk = await queue.take(); chunk !== null; chunk = await queue.take()) {
      const next = chunk;
      const begun = performance.now();
      const stopTimer = metrics.startWriting(name);
      const outcome = await this.#retrying('write', () => sink.write(next));
      stopTimer();
      if (outcome !== 'written') return;
      metrics.wrote(name, chunk);
      const restMs = REST_MS - (performance.now() - begun);
      if (restMs >= 1 && !queue.isFull) await this.#pause(restMs);
    }
  }

  /** The action's result, trying for ever while it fails retryably; undefined when we are stopped meanwhile. */
  async #retrying<Result>(action: string, run: () => Promise<Result>): Promise<Result | undefined> {
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
      await this.#pause(pauseMs);
      if (this.#isStopping()) return undefined;
    }
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #pause(pauseMs: number): Promise<void> {
    // Being woken up by stop() is the only way in which this timer rejects.
    await delay(pauseMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }
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

function isRetryable(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === true;
}
