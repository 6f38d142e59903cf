// What the socket node counts. Hot paths add to plain numbers; prom-client reads them when somebody asks.
import { Counter, Gauge } from 'prom-client';
import type { Metrics } from '../platform/metrics.ts';
import type { CloseName } from '../schemas/close-codes.ts';
import type { RejectionCode } from '../schemas/rejections.ts';

export type RealtimeMetrics = {
  /** Room frames handed to sockets: one frame to ten sockets counts ten. */
  delivered(frames: number): void;
  /** One write to a WebSocket's TCP socket. */
  written(bytes: number): void;
  received(): void;
  refused(code: RejectionCode): void;
  closed(name: CloseName): void;
};

/** What is there at the moment of asking. */
export type RealtimeNow = {
  webSockets: number;
  socketIoSockets: number;
  eventStreams: number;
  rooms: number;
  partitions: number;
  tailLag: number;
  backlogBytes: number;
};

export function createRealtimeMetrics(registry: Metrics, now: () => RealtimeNow): RealtimeMetrics {
  let frames = 0;
  let writes = 0;
  let bytes = 0;
  let received = 0;
  const registers = [registry];
  const total = (name: string, help: string, read: () => number): Counter =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  total('roomlog_realtime_deliveries_total', 'Room frames handed to sockets.', () => frames);
  total(
    'roomlog_realtime_writes_total',
    'Writes to WebSockets and streams of events; deliveries over writes is how many frames left together.',
    () => writes,
  );
  total('roomlog_realtime_written_bytes_total', 'Bytes written to WebSockets and streams of events.', () => bytes);
  total('roomlog_realtime_received_frames_total', 'Frames that clients sent.', () => received);
  gauges(registers, now);
  const refusals = new Counter({
    name: 'roomlog_realtime_refusals_total',
    help: 'Client frames that were refused, by code.',
    labelNames: ['code'],
    registers,
  });
  const closes = new Counter({
    name: 'roomlog_realtime_closes_total',
    help: 'Sockets closed by the service, by the name of the close code.',
    labelNames: ['name'],
    registers,
  });
  return {
    delivered(count) {
      frames += count;
    },
    written(count) {
      writes += 1;
      bytes += count;
    },
    received() {
      received += 1;
    },
    refused: (code) => refusals.inc({ code }),
    closed: (name) => closes.inc({ name }),
  };
}

function gauges(registers: Metrics[], now: () => RealtimeNow): void {
  new Gauge({
    name: 'roomlog_realtime_sockets',
    help: 'Open sockets by transport.',
    labelNames: ['transport'],
    registers,
    collect() {
      const { webSockets, socketIoSockets, eventStreams } = now();
      this.set({ transport: 'ws' }, webSockets);
      this.set({ transport: 'socket-io' }, socketIoSockets);
      this.set({ transport: 'sse' }, eventStreams);
    },
  });
  new Gauge({
    name: 'roomlog_realtime_rooms',
    help: 'Rooms that this node follows.',
    registers,
    collect() {
      this.set(now().rooms);
    },
  });
  new Gauge({
    name: 'roomlog_realtime_partitions',
    help: 'Partitions of the log that this node follows: those in which it has rooms.',
    registers,
    collect() {
      this.set(now().partitions);
    },
  });
  new Gauge({
    name: 'roomlog_realtime_tail_lag_records',
    help: 'Records between the tail and the head of the log, over all partitions that are followed.',
    registers,
    collect() {
      this.set(now().tailLag);
    },
  });
  new Gauge({
    name: 'roomlog_realtime_backlog_bytes',
    help: 'Bytes that wait for sockets which do not take them at once.',
    registers,
    collect() {
      this.set(now().backlogBytes);
    },
  });
}
