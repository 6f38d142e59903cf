// One role on one port, as a process of its own has it: routes, /health, /ready and /metrics.
import { closeServer, createHttpApp, type HttpAppOptions, listen } from './http-app.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Role } from './role.ts';

export type ServeRoleOptions = Omit<HttpAppOptions, 'role' | 'ready'> & { port: number; lifecycle: Lifecycle };

/** Resolves once the port takes requests and the role is open; rejects where it cannot be had. Stopping the lifecycle closes it. */
export async function serveRole(role: Role, { port, lifecycle, ...options }: ServeRoleOptions): Promise<void> {
  const app = createHttpApp({ ...options, role: role.name, ready: role.ready });
  for (const route of role.routes) app.use(route);
  const server = await listen(app, port);
  lifecycle.add('http', () => closeServer(server));
  await openRole(role, lifecycle);
  options.log.info({ port, role: role.name }, 'the role is up');
}

/** Tells the role that its port takes requests, and sees to it that it is told before the port closes. */
export async function openRole({ name, onOpen, onClosing, closingMs }: Role, lifecycle: Lifecycle): Promise<void> {
  if (onClosing) lifecycle.add(`${name} hand over`, onClosing, closingMs);
  await onOpen?.();
}
