// A router as middleware of an app.
import type Router from '@koa/router';
import type { Middleware } from 'koa';

/** Its routes, and method_not_allowed (or the answer to OPTIONS) for other methods at the same addresses. */
export function mount(router: Router): Middleware[] {
  // The router's types ask for a context that it has put itself into, which only the router itself can do.
  return [router.routes(), router.allowedMethods()] as unknown as Middleware[];
}
