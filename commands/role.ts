// Wires the write side: the owners of the partitions, and the routes in front of them.
import type Router from '@koa/router';
import type { Middleware } from 'koa';
import type { Codec } from '../event-log/codec/codec.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { TokenVerifier } from '../platform/auth.ts';
import { authenticate, identityOf } from '../platform/authenticate.ts';
import type { Clock } from '../platform/clock.ts';
import { Problem } from '../platform/http-app.ts';
import type { Ids } from '../platform/ids.ts';
import type { Lifecycle } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logger.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { RateLimit } from '../platform/rate-limit.ts';
import type { Role } from '../platform/role.ts';
import { systemTime } from '../platform/time.ts';
import type { WrittenPositions } from '../platform/written-positions.ts';
import type { CommandPort } from './client/command-port.ts';
import { createExecutor } from './executor.ts';
import { createCommandMetrics } from './metrics.ts';
import { createChatroomRoutes } from './routes/chatroom.ts';
import { internalCommandsRoute } from './routes/internal.ts';
import { createMessageRoutes } from './routes/messages.ts';

export type CommandsRoleDeps = {
  lifecycle: Lifecycle;
  logger: Logger;
  metrics: Metrics;
  eventLog: EventLog;
  codec: Codec;
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

/** Resolves when the whole log is read, so the role can decide at once. Throws what reading the log throws. */
export async function openCommandsRole(deps: CommandsRoleDeps): Promise<CommandsRole> {
  const { eventLog, lifecycle, logger, internalSecret } = deps;
  const partitions = Array.from({ length: eventLog.partitions }, (_, partition) => partition);
  const began = performance.now();
  const executor = createExecutor(partitions, {
    ...deps,
    log: eventLog,
    metrics: createCommandMetrics(deps.metrics),
    snapshots: null,
    time: systemTime,
  });
  lifecycle.run('commands', executor);
  await executor.loaded();
  logger.info({ partitions: partitions.length, tookMs: Math.round(performance.now() - began) }, 'the log is read');
  const before = [authenticate(deps.verifier), limitWrites(deps.writeLimit)];
  const routeDeps = { commands: executor, ids: deps.ids, clock: deps.clock };
  return {
    name: 'commands',
    commands: executor,
    routes: [
      ...(internalSecret === null ? [] : [internalCommandsRoute({ commands: executor, secret: internalSecret })]),
      ...mount(createChatroomRoutes(before, routeDeps)),
      ...mount(createMessageRoutes(before, routeDeps)),
    ],
    ready: {
      'command log': async () => {
        executor.checkLog();
        await eventLog.head(0);
      },
      'command streams': () => executor.noteOnStreams(),
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

/** A router's routes, and method_not_allowed for other methods at the same addresses. */
function mount(router: Router): Middleware[] {
  // The router's types ask for a context that it has put itself into, which only the router itself can do.
  return [router.routes(), router.allowedMethods()] as unknown as Middleware[];
}
