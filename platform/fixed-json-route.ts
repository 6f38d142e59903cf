// A JSON document that is the same for as long as the process runs, for everybody, without a token.
import { createHash } from 'node:crypto';
import type { Middleware } from 'koa';
import { Problem } from './http-app.ts';

const MAX_AGE_SECONDS = 300;

/** Serves it at that path; caches may keep it for five minutes and then ask by ETag. Other methods are method_not_allowed. */
export function fixedJsonRoute(path: string, document: object): Middleware {
  const text = JSON.stringify(document);
  const etag = `"${createHash('sha256').update(text).digest('base64url')}"`;
  return async (context, next) => {
    if (context.path !== path) return next();
    if (context.method !== 'GET' && context.method !== 'HEAD') throw new Problem('method_not_allowed');
    context.set('Cache-Control', `public, max-age=${MAX_AGE_SECONDS}`);
    context.set('ETag', etag);
    context.type = 'application/json';
    context.status = 200;
    if (context.fresh) context.status = 304;
    else context.body = text;
  };
}
