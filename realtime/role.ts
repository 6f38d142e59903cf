// Wires the socket node: the log's tail into the hub, sessions of all transports onto the hub, one tick a second for everything
// that goes by time.
import type { Server } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { CommandPort } from '../commands/client/command-port.ts';
import { documentRoutes } from '../documents/document-routes.ts';
import type { Codec } from '../event-log/codec/codec.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { TokenVerifier } from '../platform/auth.ts';
import type { Clock } from '../platform/clock.ts';
import type { ExpiringSets } from '../platform/expiring-sets.ts';
import { fixedJsonRoute } from '../platform/fixed-json-route.ts';
import type { Ids } from '../platform/ids.ts';
import type { Lifecycle } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logger.ts';
import type { Metrics } from '../platform/metrics.ts';
import { mount } from '../platform/mount.ts';
import type { PubSub } from '../platform/pub-sub.ts';
import { createRateLimit, type RateLimit } from '../platform/rate-limit.ts';
import type { Role } from '../platform/role.ts';
import { CODES_PATH, codesDocument } from '../schemas/codes-document.ts';
import { BOUNDS } from './bounds.ts';
import { Hub } from './hub.ts';
import { LogTail } from './log-tail.ts';
import { createRealtimeMetrics } from './metrics.ts';
import { NodeSigns } from './rooms/node-signs.ts';
import type { RoomSource } from './rooms/room-source.ts';
import { Backlog } from './sessions/backlog.ts';
import type { DrainDeps } from './sessions/drain.ts';
import type { SessionDeps } from './sessions/session.ts';
import { SocketIoGateway } from './sessions/socket-io-gateway.ts';
import { SseGateway } from './sessions/sse-gateway.ts';
import { createSseRoute } from './sessions/sse-route.ts';
import { TokenClock } from './sessions/token-clock.ts';
import { TurnQueue } from './sessions/turn-queue.ts';
import { WsGateway } from './sessions/ws-gateway.ts';

export type RealtimeSettings = {
  maxSockets: number;
  maxRooms: number;
  /** Milliseconds over which a node that stops closes its sockets. */
  drainMs: number;
};

export type RealtimeRoleDeps = {
  settings: RealtimeSettings;
  /** Origins that browsers may connect from by polling; `*` allows all. Comma-separated. */
  frontendUrl: string;
  lifecycle: Lifecycle;
  logger: Logger;
  metrics: Metrics;
  eventLog: EventLog;
  codec: Codec;
  source: RoomSource;
  commands: CommandPort;
  verifier: TokenVerifier;
  /** A user's writes, REST and sockets together. */
  writeLimit: RateLimit;
  sets: ExpiringSets;
  pubSub: PubSub;
  clock: Clock;
  ids: Ids;
};

export type RealtimeRole = Role & {
  /** Takes the sockets of that HTTP server: socket.io's on its path, bare WebSockets on all others. */
  attach(server: Server): void;
  /** What happens once a second by itself; tests call it with a clock of their own. */
  tick(): void;
};

const SOCKET_IO_PATH = '/socket.io/';
const TICK_MS = 1_000;
/** For answers under way and goodbyes, and something to spare. */
const STOP_BEYOND_DRAIN_MS = BOUNDS.drainAnswersMs + BOUNDS.goodbyeMs + 4_000;

/** Needs neither the log nor history to be there: what is away is told by `ready`, and to who joins. */
export async function openRealtimeRole(deps: RealtimeRoleDeps): Promise<RealtimeRole> {
  const { logger, clock, lifecycle, settings } = deps;
  const now = (): number => clock.now();
  const metrics = createRealtimeMetrics(deps.metrics, () => ({
    webSockets: webSockets.socketCount,
    socketIoSockets: socketIo.socketCount,
    eventStreams: streams.socketCount,
    rooms: hub.roomCount,
    partitions: tail.partitionCount,
    tailLag: tail.lag(),
    backlogBytes: backlog.bytes,
  }));
  const signs = new NodeSigns({
    ...deps,
    nodeId: deps.ids.next(),
    restore: () => hub.restorePresence(),
    lookAgain: () => hub.lookAgain(),
  });
  const turns = new TurnQueue();
  const backlog = new Backlog();
  const tail: LogTail = new LogTail({
    ...deps,
    wants: (stream) => hub.wants(stream),
    onEvent: (event) => hub.accept(event),
  });
  const hub: Hub = new Hub({
    ...deps,
    ...settings,
    metrics,
    signs,
    turns,
    tail,
    now,
    pause: (ms) => pause(ms),
    partitions: deps.eventLog.partitions,
  });
  await signs.open();
  lifecycle.add('realtime signs', () => signs.stop());
  lifecycle.add('realtime rooms', async () => hub.stop());
  lifecycle.run('realtime tail', tail);
  const tokenClock = new TokenClock({ now });
  const sessionDeps: SessionDeps = { ...deps, ...rateLimits(deps.writeLimit), hub, metrics, now, tokenClock };
  const draining: DrainDeps = { drainMs: settings.drainMs, pause: (ms) => pause(ms), random: Math.random };
  const webSockets: WsGateway = new WsGateway({
    ...sessionDeps,
    ...settings,
    turns,
    draining,
    backlog,
    socketIoPath: SOCKET_IO_PATH,
    otherSockets: () => socketIo.socketCount + streams.socketCount,
  });
  const socketIo: SocketIoGateway = new SocketIoGateway({
    ...sessionDeps,
    ...settings,
    turns,
    draining,
    backlog,
    frontendUrl: deps.frontendUrl,
    path: SOCKET_IO_PATH,
    otherSockets: () => webSockets.socketCount + streams.socketCount,
  });
  const streams: SseGateway = new SseGateway({
    ...sessionDeps,
    ...settings,
    turns,
    draining,
    backlog,
    otherSockets: () => webSockets.socketCount + socketIo.socketCount,
  });
  const tick = (): void => {
    tail.tick(now());
    hub.tick();
    tokenClock.tick();
    webSockets.tick();
    socketIo.tick();
    streams.tick();
    backlog.tick();
  };
  const timer = setInterval(tick, TICK_MS);
  const stopSockets = async (): Promise<void> => {
    try {
      await Promise.all([webSockets.stop(), socketIo.stop(), streams.stop()]);
    } finally {
      clearInterval(timer);
    }
  };
  const stopMs = settings.drainMs + STOP_BEYOND_DRAIN_MS;
  lifecycle.add('realtime sockets', stopSockets, stopMs);
  logger.info({ node: signs.nodeId }, 'the socket node can take sockets');
  return {
    name: 'realtime',
    routes: [
      ...documentRoutes({ socketPort: null }),
      fixedJsonRoute(CODES_PATH, codesDocument()),
      ...mount(createSseRoute(deps.verifier, streams)),
    ],
    ready: {
      log: () => deps.eventLog.head(0),
      history: () => deps.source.checkpoints(),
    },
    // A port that is not the sockets' own waits for its requests to end when it closes, and streams do not end by themselves.
    onClosing: () => streams.stop(),
    closingMs: stopMs,
    attach(server) {
      server.maxConnections = 2 * settings.maxSockets + BOUNDS.plainConnections;
      webSockets.attach(server);
      socketIo.attach(server);
    },
    tick,
  };
}

/** Joins and typing cost this node only, so this node counts them by itself: a count in Redis would cost more than they do. */
function rateLimits(writeLimit: RateLimit): Pick<SessionDeps, 'writeLimit' | 'joinLimit' | 'typingLimit'> {
  return {
    writeLimit,
    joinLimit: createRateLimit({ perSecond: 200, burst: 2_000, keyPrefix: 'joins' }),
    typingLimit: createRateLimit({ perSecond: 10, burst: 20, keyPrefix: 'typing' }),
  };
}
