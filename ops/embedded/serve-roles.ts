// The ports of a process that runs all roles: REST, streams of events and the page on one, the sockets on another, health and metrics of the
// projections on a third.
import type Koa from 'koa';
import { closeServer, createHttpApp } from '../../platform/http-app.ts';
import type { Lifecycle } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/logger.ts';
import type { Metrics } from '../../platform/metrics.ts';
import type { Role } from '../../platform/role.ts';
import { openRole } from '../../platform/serve-role.ts';
import type { RealtimeRole } from '../../realtime/role.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { REJECTIONS } from '../../schemas/rejections.ts';
import { openPort } from './open-port.ts';

export type ServeRolesDeps = {
  ports: { http: number; realtime: number; projections: number };
  frontendUrl: string;
  rest: readonly Role[];
  realtime: RealtimeRole;
  projections: Role;
  /** Beside the roles' own routes. */
  routes: readonly Koa.Middleware[];
  lifecycle: Lifecycle;
  logger: Logger;
  metrics: Metrics;
  /** Those metrics and the ones of other threads. */
  metricsText: () => Promise<string>;
};

/** Resolves when all ports and roles are open. Throws PortUnavailableError. */
export async function serveRoles(deps: ServeRolesDeps): Promise<void> {
  const { ports, rest, realtime, projections, lifecycle } = deps;
  const health = await openPort(createApp('projections', [projections], deps), ports.projections, 'PROJECTIONS_PORT');
  lifecycle.add('health port', () => closeServer(health));
  const socketApp = createApp('realtime', [realtime], deps);
  for (const route of realtime.routes) socketApp.use(route);
  const sockets = await openPort(socketApp, ports.realtime, 'REALTIME_PORT');
  realtime.attach(sockets);
  // Only stops listening: what is open here are sockets, and the role itself ends those after this.
  lifecycle.add('socket port', async () => void sockets.close());
  const app = createApp('roomlog', [...rest, realtime, projections], deps);
  for (const route of [...deps.routes, ...[...rest, realtime].flatMap(({ routes }) => routes)]) app.use(route);
  const http = await openPort(app, ports.http, 'CHAT_SERVICE_PORT');
  lifecycle.add('http port', () => closeServer(http));
  for (const role of [realtime, ...rest]) await openRole(role, lifecycle);
}

function createApp(name: string, roles: readonly Role[], deps: ServeRolesDeps): Koa {
  const checks = roles.flatMap((role) =>
    Object.entries(role.ready).map(([check, isReady]) => [
      roles.length > 1 ? `${role.name}: ${check}` : check,
      isReady,
    ]),
  );
  return createHttpApp({
    role: name,
    log: deps.logger,
    metrics: deps.metrics,
    metricsText: deps.metricsText,
    problems: REJECTIONS,
    frontendUrl: deps.frontendUrl,
    bodyLimitBytes: LIMITS.httpBodyBytes,
    ready: Object.fromEntries(checks),
  });
}
