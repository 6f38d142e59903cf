// JSON documents that are the same for as long as the process runs, for everybody, without a token.
import { createHash } from 'node:crypto';
import type { Context, Middleware } from 'koa';
import { Problem } from './http-app.ts';

const MAX_AGE_SECONDS = 300;

/** Serves it at that path; caches may keep it for five minutes and then ask by ETag. Other methods are method_not_allowed. */
export function fixedJsonRoute(path: string, document: object): Middleware {
  const text = JSON.stringify(document);
  return cachedJsonRoute(path, () => text);
}

/** As fixedJsonRoute(), for a document that is made when it is asked for, and may name the host that it is asked of. */
export function cachedJsonRoute(path: string, textFor: (context: Context) => string): Middleware {
  return async (context, next) => {
    if (context.path !== path) return next();
    if (context.method !== 'GET' && context.method !== 'HEAD') throw new Problem('method_not_allowed');
    const text = textFor(context);
    context.set('Cache-Control', `public, max-age=${MAX_AGE_SECONDS}`);
    context.set('ETag', `"${createHash('sha256').update(text).digest('base64url')}"`);
    context.type = 'application/json';
    context.status = 200;
    if (context.fresh) context.status = 304;
    else context.body = text;
  };
}
