// Folds the log into a build: from where its checkpoints are up to given offsets, several partitions at once. It is the live path with
// another target: the same decoder, the same sink (fence, parking, rows and checkpoint in one transaction) and the same fold.
//
// Guarantees: what is there afterwards is what a live projector would have made of the same offsets. Cut short anywhere, by a
// killed process too, it goes on at the checkpoints when it is called again. Memory does not grow with the log: a lane holds the
// chunk that is being written and the next one.
import { setTimeout as delay } from 'node:timers/promises';
import { Registry } from 'prom-client';
import type { EventLog, LogBatch } from '../../event-log/event-log.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/logger.ts';
import type { Database } from '../../platform/postgres.ts';
import { isRetryable } from '../../platform/retryable.ts';
import { streamOfRoom } from '../../schemas/commands.ts';
import type { Decode } from '../decode-records.ts';
import { createProjectionMetrics } from '../metrics.ts';
import { PostgresSink } from '../postgres-sink.ts';
import type { Chunk, ProjectedRecord, Sink } from '../sink.ts';
import { keyOfBuild, schemaOfBuild } from './builds.ts';
import type { ReplayedProjection, WritingWay } from './replayed-projection.ts';

export type FoldDeps = {
  db: Database;
  log: EventLog;
  decode: Decode;
  clock: Clock;
  logger: Logger;
  maxParkedStreams: number;
};

export type FoldOptions = {
  projection: ReplayedProjection;
  /** The number of the build. */
  build: number;
  way: WritingWay;
  /** By partition, the offset at which folding ends. A partition that is not named, or is as far already, stays as it is. */
  to: ReadonlyMap<number, number>;
  /** Partitions that are folded at once; each takes one connection of the pool. */
  lanes: number;
  /** Only the events of these rooms; the checkpoints move over the others. Undefined: of all. */
  rooms?: ReadonlySet<string>;
  /** Called before a chunk is written; who waits in it slows the lane down, and wakes up when the signal is aborted. */
  beforeChunk?: (partition: number, events: number) => Promise<void>;
  /** `from` and `to` are the checkpoint before and after a chunk, `events` the records that were in it. */
  onChunk?: (chunk: { partition: number; from: number; to: number; events: number }) => void;
  /** Once it is aborted no further chunk is begun. */
  signal?: AbortSignal;
  /** Records of a chunk, at most so many and one batch of the log more. */
  chunkRecords?: number;
};

/** Somebody else folds into the same build. */
export class BuildInUseError extends Error {
  override readonly name = 'BuildInUseError';
  readonly code = 'build_in_use';
  readonly retryable = false;
}

const CHUNK_RECORDS = 5_000;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 2_000;
/** Milliseconds for which a server may be away before the fold gives up. */
const PATIENCE_MS = 60_000;

/**
 * Resolves with whether everything was folded; false means that the signal ended it. Tries again for a minute while a server is away;
 * throws its error after that, BuildInUseError, or what trying again does not heal.
 */
export async function foldInto(deps: FoldDeps, options: FoldOptions): Promise<boolean> {
  const partitions = [...options.to.keys()].sort((left, right) => left - right);
  const failed = new AbortController();
  const signal = options.signal === undefined ? failed.signal : AbortSignal.any([failed.signal, options.signal]);
  const lanes = Array.from({ length: Math.min(options.lanes, partitions.length) }, async () => {
    for (let partition = partitions.shift(); partition !== undefined; partition = partitions.shift()) {
      if (!signal.aborted) await foldPartition(deps, { ...options, signal }, partition);
    }
  });
  const ends = await Promise.allSettled(
    lanes.map((lane) =>
      lane.catch((error: unknown) => {
        failed.abort();
        throw error;
      }),
    ),
  );
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return options.signal?.aborted !== true;
}

/** The heads of all partitions as they are now: up to them, folding ends. */
export async function headsOf(log: EventLog): Promise<Map<number, number>> {
  const partitions = Array.from({ length: log.partitions }, (_, partition) => partition);
  return new Map(await Promise.all(partitions.map(async (at) => [at, await log.head(at)] as const)));
}

type LaneOptions = FoldOptions & { signal: AbortSignal };

async function foldPartition(deps: FoldDeps, options: LaneOptions, partition: number): Promise<void> {
  let progressAt = performance.now();
  let pauseMs = FIRST_PAUSE_MS;
  const onProgress = (): void => {
    progressAt = performance.now();
    pauseMs = FIRST_PAUSE_MS;
  };
  while (!options.signal.aborted) {
    try {
      await foldFromCheckpoint(deps, options, partition, onProgress);
      return;
    } catch (error) {
      if (!isRetryable(error) || performance.now() - progressAt > PATIENCE_MS) throw error;
      deps.logger.warn({ err: error, partition, pauseMs }, 'the fold cannot go on: trying again');
    }
    // Being woken up by the signal is the only way in which this timer rejects.
    await delay(pauseMs, undefined, { signal: options.signal }).catch(() => undefined);
    pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
  }
}

async function foldFromCheckpoint(
  deps: FoldDeps,
  options: LaneOptions,
  partition: number,
  onProgress: () => void,
): Promise<void> {
  // One sink a lane: which streams are parked it remembers from chunk to chunk, and a partition's are no other lane's business.
  const sink = openSink(deps, options);
  const from = (await sink.load([partition])).get(partition) ?? 0;
  const to = options.to.get(partition) ?? 0;
  if (from >= to) return;
  const chunks = readChunks(deps, options, { partition, from, to });
  let next = chunks.next();
  try {
    for (;;) {
      const { done, value: chunk } = await next;
      if (done === true) return;
      next = chunks.next();
      // It is awaited in the next turn; until then a failure of it is nobody's.
      next.catch(() => undefined);
      await options.beforeChunk?.(partition, chunk.records.length);
      if (options.signal.aborted) return;
      await write(sink, chunk, options);
      onProgress();
    }
  } finally {
    await chunks.return(undefined);
  }
}

async function write(sink: Sink, chunk: Chunk, { onChunk, projection, build }: LaneOptions): Promise<void> {
  if ((await sink.write(chunk)) === 'fenced') {
    throw new BuildInUseError(`somebody else writes build ${build} of ${projection.name}`);
  }
  for (const [partition, move] of chunk.moves) onChunk?.({ partition, ...move, events: chunk.records.length });
}

/** Reads and decodes [from, to) in chunks; the next one is made while the last one is being written. */
async function* readChunks(
  { log, decode }: FoldDeps,
  { rooms, chunkRecords = CHUNK_RECORDS }: LaneOptions,
  range: { partition: number; from: number; to: number },
): AsyncGenerator<Chunk, undefined> {
  const { partition } = range;
  const streams = rooms === undefined ? undefined : new Set([...rooms].map(streamOfRoom));
  let records: ProjectedRecord[] = [];
  let { from } = range;
  for await (const batch of log.read(partition, range.from, range.to)) {
    const chosen = streams === undefined ? batch.records : batch.records.filter(({ key }) => streams.has(key));
    for (const record of await decodeRecords(decode, { ...batch, records: chosen })) records.push(record);
    const to = Math.min(batch.nextOffset, range.to);
    if (records.length < chunkRecords && to < range.to && to - from < MAX_MOVE) continue;
    yield { records, moves: new Map([[partition, { from, to }]]) };
    records = [];
    from = to;
  }
}

/** Offsets that a chunk may pass over at most, where it has few records: so that a checkpoint moves also while nothing is found. */
const MAX_MOVE = 100_000;

async function decodeRecords(decode: Decode, { partition, records }: LogBatch): Promise<ProjectedRecord[]> {
  const contents = await decode(records);
  return records.map((record, at) => {
    const content = contents[at];
    if (content === undefined) throw new RangeError('decode must give one content a record');
    return { partition, record, content };
  });
}

function openSink({ log, ...deps }: FoldDeps, { projection, build, way }: FoldOptions): PostgresSink {
  return new PostgresSink({
    ...deps,
    projection: { ...projection.into(schemaOfBuild(projection, build), way), ...keyOfBuild(projection, build) },
    // The build's tables are there, and are nobody's to make anew: without them it was dropped.
    prepare: () => Promise.resolve(),
    bookkeepingSchema: projection.bookkeepingSchema,
    partitions: log.partitions,
    metrics: createProjectionMetrics(new Registry()),
  });
}
