// Wires the write side: the owners of the partitions of this process, the way to the owners in others, and the routes in front.
import type { Middleware } from 'koa';
import type { Codec } from '../event-log/codec/codec.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { OpenOwnership } from '../event-log/ownership/ownership.ts';
import type { SnapshotStore } from '../event-log/snapshot-store.ts';
import type { TokenVerifier } from '../platform/auth.ts';
import { authenticate, identityOf } from '../platform/authenticate.ts';
import type { Clock } from '../platform/clock.ts';
import { Problem } from '../platform/http-app.ts';
import type { Ids } from '../platform/ids.ts';
import type { Lifecycle } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logger.ts';
import type { Metrics } from '../platform/metrics.ts';
import { mount } from '../platform/mount.ts';
import type { RateLimit } from '../platform/rate-limit.ts';
import type { Role } from '../platform/role.ts';
import { systemTime } from '../platform/time.ts';
import type { WrittenPositions } from '../platform/written-positions.ts';
import type { CommandPort } from './client/command-port.ts';
import { CommandRouter } from './command-router.ts';
import { Executor } from './executor.ts';
import { createCommandMetrics } from './metrics.ts';
import { createChatroomRoutes } from './routes/chatroom.ts';
import { internalRoutes } from './routes/internal.ts';
import { createMessageRoutes } from './routes/messages.ts';

export type CommandsRoleDeps = {
  lifecycle: Lifecycle;
  logger: Logger;
  metrics: Metrics;
  eventLog: EventLog;
  codec: Codec;
  openOwnership: OpenOwnership;
  /** Null: who gains a partition reads all of it. */
  snapshots: SnapshotStore | null;
  verifier: TokenVerifier;
  /** A user's writes, REST and sockets together. Operators are exempt. */
  writeLimit: RateLimit;
  /** Lets other processes that have it hand in commands; null where there are none, then there is no such route. */
  internalSecret: string | null;
  /** Where readers learn how far the log was written; null where there is no such place. */
  written: WrittenPositions | null;
  ids: Ids;
  clock: Clock;
};

/** `commands` is where other roles of the same process hand in theirs. */
export type CommandsRole = Role & { commands: CommandPort };

/** Milliseconds that a process which stops waits for others to take its partitions. */
const HAND_OVER_MS = 3_000;

/**
 * Owns nothing before onOpen(): the others must be able to pass commands on to it from the moment that a partition is its own.
 * onOpen() resolves when the first partitions have come and are read.
 */
export function openCommandsRole(deps: CommandsRoleDeps): CommandsRole {
  const { eventLog, lifecycle, logger, internalSecret } = deps;
  const { partitions } = eventLog;
  const metrics = createCommandMetrics(deps.metrics);
  const executor = new Executor({ ...deps, log: eventLog, metrics, time: systemTime });
  lifecycle.run('commands', executor);
  const router = new CommandRouter({ executor, partitions, secret: internalSecret, metrics, logger });
  lifecycle.add('commands passed on', async () => router.close());
  const assigned = Promise.withResolvers<void>();
  let isAssigned = false;
  let isClosing = false;
  const ownership = deps.openOwnership('commands', (assignment) => {
    logger.info({ partitions: assignment.mine }, 'partitions are assigned');
    router.assign(assignment);
    isAssigned = true;
    assigned.resolve();
  });
  const opened = Promise.withResolvers<void>();
  lifecycle.run('ownership of partitions', {
    run: async () => {
      await opened.promise;
      await ownership.run();
    },
    stop: async () => {
      opened.resolve();
      await ownership.stop();
    },
  });
  const before = [authenticate(deps.verifier), limitWrites(deps.writeLimit)];
  const routeDeps = { commands: router, ids: deps.ids, clock: deps.clock };
  return {
    name: 'commands',
    commands: router,
    routes: [
      ...(internalSecret === null ? [] : [internalRoutes({ router, secret: internalSecret })]),
      ...mount(createChatroomRoutes(before, routeDeps)),
      ...mount(createMessageRoutes(before, routeDeps)),
    ],
    ready: {
      'command log': async () => {
        executor.checkLog();
        await eventLog.head(0);
      },
      'command partitions': () => {
        if (isClosing) throw new Error('the process is handing its partitions over');
        if (!isAssigned) throw new Error('the partitions are not shared out yet');
        executor.checkLoaded();
      },
      'command streams': () => executor.noteOnStreams(),
    },
    onOpen: async () => {
      const began = performance.now();
      opened.resolve();
      await assigned.promise;
      await executor.loaded();
      logger.info({ tookMs: Math.round(performance.now() - began) }, 'the partitions of this process are read');
    },
    onClosing: async () => {
      isClosing = true;
      await executor.snapshot();
      await ownership.handOver(HAND_OVER_MS);
      await executor.allDrained();
    },
  };
}

function limitWrites(writeLimit: RateLimit): Middleware {
  return async (context, next) => {
    const { isOperator, userId } = identityOf(context);
    const limited = isOperator ? null : await writeLimit.consume(userId);
    if (limited) throw new Problem('rate_limited', limited);
    await next();
  };
}
