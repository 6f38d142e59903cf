// The figures of the write side, declared in one place. Labels are bounded: codes, never rooms or users.
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Metrics } from '../platform/metrics.ts';
import type { Accepted } from '../schemas/commands.ts';
import { isRejection, type Rejection } from '../schemas/rejections.ts';

export type CommandMetrics = {
  answered(answer: Accepted | Rejection): void;
  /** Call what it returns when the append is answered. */
  startAppend(records: number): () => void;
  conflicted(): void;
  settled(hasLanded: boolean): void;
  streamBroke(): void;
  /** A partition's state is there; `events` were read from the log for it. */
  loaded(from: 'snapshot' | 'log', seconds: number, events: number): void;
  /** A round of a snapshot has ended; `bytes` were written. */
  snapshotRound(outcome: 'done' | 'failed', seconds: number, bytes: number): void;
  /** How many events a new owner of the partition would read; null where it is not ours any more. */
  eventsSinceSnapshot(partition: number, events: number | null): void;
  /** Where the queue's length is read from when somebody asks. */
  watchQueue(length: () => number): void;
  /** The same for the number of partitions that are owned here. */
  watchPartitions(count: () => number): void;
  /** So many commands were passed on to another process. */
  forwarded(commands: number): void;
};

export function createCommandMetrics(registry: Metrics): CommandMetrics {
  const registers = [registry];
  const acceptedTotal = new Counter({
    name: 'roomlog_commands_accepted_total',
    help: 'Commands that were accepted; changed="false" had nothing to do.',
    labelNames: ['changed'],
    registers,
  });
  const rejectedTotal = new Counter({
    name: 'roomlog_commands_rejected_total',
    help: 'Commands that were refused, by code.',
    labelNames: ['code'],
    registers,
  });
  const appendSeconds = new Histogram({
    name: 'roomlog_commands_append_seconds',
    help: 'Duration of an append, from the call to the answer of the log.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2],
    registers,
  });
  const appendRecords = new Histogram({
    name: 'roomlog_commands_append_records',
    help: 'Events of one append: how much group commit gathers.',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000],
    registers,
  });
  const conflictsTotal = new Counter({
    name: 'roomlog_commands_conflicts_total',
    help: 'Appends that came to nothing because another writer was first.',
    registers,
  });
  const settlesTotal = new Counter({
    name: 'roomlog_commands_settles_total',
    help: 'Appends without an answer whose outcome was settled, by what it was.',
    labelNames: ['landed'],
    registers,
  });
  const brokenStreams = new Gauge({
    name: 'roomlog_commands_broken_streams',
    help: 'Streams whose log cannot be read, so that their commands are refused.',
    registers,
  });
  const forwardedTotal = new Counter({
    name: 'roomlog_commands_forwarded_total',
    help: 'Commands passed on to the process that owns their partition, each attempt counted.',
    registers,
  });
  const watch = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  const snapshots = createSnapshotMetrics(registry);
  const changed = acceptedTotal.labels('true');
  const unchanged = acceptedTotal.labels('false');
  return {
    answered(answer) {
      if (isRejection(answer)) rejectedTotal.inc({ code: answer.rejected });
      else (answer.changed ? changed : unchanged).inc();
    },
    startAppend(records) {
      appendRecords.observe(records);
      return appendSeconds.startTimer();
    },
    conflicted: () => conflictsTotal.inc(),
    settled: (hasLanded) => settlesTotal.inc({ landed: String(hasLanded) }),
    streamBroke: () => brokenStreams.inc(),
    ...snapshots,
    forwarded: (commands) => forwardedTotal.inc(commands),
    watchQueue: (length) => watch('roomlog_commands_waiting', 'Commands that wait for a decision.', length),
    watchPartitions: (count) =>
      watch('roomlog_commands_partitions', 'Partitions that this process decides for.', count),
  };
}

function createSnapshotMetrics(
  registry: Metrics,
): Pick<CommandMetrics, 'loaded' | 'snapshotRound' | 'eventsSinceSnapshot'> {
  const registers = [registry];
  const loadSeconds = new Histogram({
    name: 'roomlog_commands_load_seconds',
    help: 'Time from owning a partition to its state, by what that was made of; from="log" read the partition\'s whole log.',
    labelNames: ['from'],
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120],
    registers,
  });
  const loadedEvents = new Counter({
    name: 'roomlog_commands_load_events_total',
    help: 'Events read from the log for the state of partitions that were gained.',
    registers,
  });
  const roundSeconds = new Histogram({
    name: 'roomlog_commands_snapshot_seconds',
    help: "Duration of one round of a partition's snapshot, by how it ended.",
    labelNames: ['outcome'],
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers,
  });
  const writtenBytes = new Counter({
    name: 'roomlog_commands_snapshot_bytes_total',
    help: 'Bytes written to snapshots.',
    registers,
  });
  const sinceSnapshot = new Gauge({
    name: 'roomlog_commands_events_since_snapshot',
    help: "Events behind a partition's snapshot, which its next owner would read from the log.",
    labelNames: ['partition'],
    registers,
  });
  return {
    loaded(from, seconds, events) {
      loadSeconds.observe({ from }, seconds);
      loadedEvents.inc(events);
    },
    snapshotRound(outcome, seconds, bytes) {
      roundSeconds.observe({ outcome }, seconds);
      writtenBytes.inc(bytes);
    },
    eventsSinceSnapshot(partition, events) {
      if (events === null) sinceSnapshot.remove({ partition });
      else sinceSnapshot.set({ partition }, events);
    },
  };
}
