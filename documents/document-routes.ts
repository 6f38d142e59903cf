// Serves both documents: to everybody, without a token, and to caches.
import { createHash } from 'node:crypto';
import type { Context, Middleware } from 'koa';
import { Problem } from '../platform/http-app.ts';
import { REST_OPERATIONS } from '../schemas/rest-operations.ts';
import { asyncApiDocument } from './asyncapi.ts';
import { openApiDocument } from './openapi.ts';

export type DocumentRoutesOptions = {
  /** Where the sockets are, on the host that the document is asked of; null: at the port that it is asked at. */
  socketPort: number | null;
};

/** Where a cluster has its sockets, as docker-compose.yml and the settings' defaults have it. */
export const SOCKET_PORT = 3_002;

const MAX_AGE_SECONDS = 300;
/** No host has this name (RFC 2606). */
const PLACEHOLDER = 'host.invalid';

/**
 * GET and HEAD of the documents' addresses; other methods are method_not_allowed. All else goes on to the next route. The documents
 * are made when somebody asks for the first time.
 */
export function documentRoutes({ socketPort }: DocumentRoutesOptions): Middleware {
  const openApi = once(() => JSON.stringify(openApiDocument()));
  const asyncApi = once(() => JSON.stringify(asyncApiDocument({ host: PLACEHOLDER })));
  const textByPath: Readonly<Record<string, (context: Context) => string>> = {
    [REST_OPERATIONS.openApi.path]: openApi,
    [REST_OPERATIONS.asyncApi.path]: (context) => asyncApi().replace(PLACEHOLDER, socketHost(context, socketPort)),
  };
  return async (context, next) => {
    const textFor = Object.hasOwn(textByPath, context.path) ? textByPath[context.path] : undefined;
    if (textFor === undefined) return next();
    if (context.method !== 'GET' && context.method !== 'HEAD') throw new Problem('method_not_allowed');
    answer(context, textFor(context));
  };
}

function once(make: () => string): () => string {
  let text: string | undefined;
  return () => {
    text ??= make();
    return text;
  };
}

function answer(context: Context, text: string): void {
  context.set('Cache-Control', `public, max-age=${MAX_AGE_SECONDS}`);
  context.set('ETag', `"${createHash('sha256').update(text).digest('base64url')}"`);
  context.type = 'application/json';
  context.status = 200;
  if (context.fresh) context.status = 304;
  else context.body = text;
}

/** What the caller put into Host is shown only where it is a host, since a cache may hand it to others. */
function socketHost(context: Context, socketPort: number | null): string {
  const { host } = context;
  const [, name = 'localhost', port = ''] = /^([\w.-]{1,253}|\[[\da-f:.]{2,45}\])(:\d{1,5})?$/i.exec(host) ?? [];
  return socketPort === null ? name + port : `${name}:${socketPort}`;
}
