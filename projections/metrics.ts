// Every metric of the projections, by name. Labels are bounded: projections and partitions, never rooms.
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Metrics } from '../platform/metrics.ts';
import type { Chunk } from './sink.ts';

export type ProjectionMetrics = {
  /** These are the projection's partitions from now on: what it tells of others is not counted any more. */
  assigned(projection: string, partitions: readonly number[]): void;
  loaded(projection: string, checkpoints: ReadonlyMap<number, number>): void;
  read(projection: string, partition: number, head: number): void;
  /** Returns how to stop the clock. */
  startWriting(projection: string): () => void;
  wrote(projection: string, chunk: Chunk): void;
  retried(projection: string): void;
  fenced(projection: string): void;
  parked(projection: string, streams: number): void;
};

export function createProjectionMetrics(registry: Metrics): ProjectionMetrics {
  const registers = [registry];
  const labelNames = ['projection'] as const;
  const lag = new Gauge({
    name: 'roomlog_projection_lag_events',
    help: 'Offsets between the head of the log and the checkpoint, over the own partitions, as of the last fetch or write.',
    labelNames,
    registers,
  });
  const events = new Counter({
    name: 'roomlog_projection_events_total',
    help: 'Records projected, parked ones included.',
    labelNames,
    registers,
  });
  const chunkRecords = new Histogram({
    name: 'roomlog_projection_chunk_records',
    help: 'Records of a written chunk.',
    labelNames,
    buckets: [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000],
    registers,
  });
  const writeSeconds = new Histogram({
    name: 'roomlog_projection_write_seconds',
    help: 'Seconds until a chunk was written, retries included.',
    labelNames,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers,
  });
  const retries = new Counter({
    name: 'roomlog_projection_retries_total',
    help: 'Attempts to load or write that failed and were made again.',
    labelNames,
    registers,
  });
  const fences = new Counter({
    name: 'roomlog_projection_fenced_total',
    help: 'Times another projector had moved a checkpoint of this one.',
    labelNames,
    registers,
  });
  const parkedStreams = new Gauge({
    name: 'roomlog_projection_parked_streams',
    help: 'Streams of the own partitions that wait for a repair because of a record that cannot be projected.',
    labelNames,
    registers,
  });
  const partitions = new Gauge({
    name: 'roomlog_projection_partitions',
    help: 'Partitions of the log that this process projects.',
    labelNames,
    registers,
  });
  const progress = new Map<string, Map<number, { head: number; checkpoint: number }>>();

  function note(projection: string, partition: number, seen: { head?: number; checkpoint?: number }): void {
    const known = progress.get(projection)?.get(partition);
    if (known === undefined) return;
    known.checkpoint = seen.checkpoint ?? known.checkpoint;
    known.head = Math.max(known.checkpoint, seen.head ?? known.head);
  }

  function showLag(projection: string): void {
    let sum = 0;
    for (const { head, checkpoint } of progress.get(projection)?.values() ?? []) sum += head - checkpoint;
    lag.set({ projection }, sum);
  }

  return {
    assigned(projection, own) {
      const known = progress.get(projection);
      progress.set(projection, new Map(own.map((at) => [at, known?.get(at) ?? { head: 0, checkpoint: 0 }])));
      partitions.set({ projection }, own.length);
      showLag(projection);
    },
    loaded(projection, checkpoints) {
      for (const [partition, checkpoint] of checkpoints) note(projection, partition, { checkpoint });
      showLag(projection);
    },
    read(projection, partition, head) {
      note(projection, partition, { head });
      showLag(projection);
    },
    startWriting(projection) {
      const stop = writeSeconds.startTimer({ projection });
      return () => void stop();
    },
    wrote(projection, chunk) {
      events.inc({ projection }, chunk.records.length);
      chunkRecords.observe({ projection }, chunk.records.length);
      for (const [partition, { to }] of chunk.moves) note(projection, partition, { checkpoint: to });
      showLag(projection);
    },
    retried: (projection) => retries.inc({ projection }),
    fenced: (projection) => fences.inc({ projection }),
    parked: (projection, streams) => parkedStreams.set({ projection }, streams),
  };
}
