// What a role hands to whoever composes a process of it: its own main.ts alone, or main.ts with all roles in one process. The
// parts with a lifetime are added to the process's Lifecycle by the role itself, in the order in which they were opened.
import type Koa from 'koa';
import type { ReadyChecks } from './http-app.ts';

export type Role = {
  name: string;
  /** Mounted on the process's HTTP app, in order. */
  routes: readonly Koa.Middleware[];
  ready: ReadyChecks;
  /** Called once the role's port takes requests: from then on other processes may be told of it. */
  onOpen?: () => Promise<void>;
  /** Called before that port closes, while requests are still taken: hands over what others have to go on with. */
  onClosing?: () => Promise<void>;
  /** Milliseconds that it may take, where it is longer than other parts have to stop. */
  closingMs?: number;
};
