// Serves both documents: to everybody, without a token, and to caches.
import type { Context, Middleware } from 'koa';
import { cachedJsonRoute } from '../platform/fixed-json-route.ts';
import { REST_OPERATIONS } from '../schemas/rest-operations.ts';
import { asyncApiDocument } from './asyncapi.ts';
import { openApiDocument } from './openapi.ts';

export type DocumentRoutesOptions = {
  /** Where the sockets are, on the host that the document is asked of; null: at the port that it is asked at. */
  socketPort: number | null;
};

/** Where a cluster has its sockets, as docker-compose.yml and the settings' defaults have it. */
export const SOCKET_PORT = 3_002;

/** No host has this name (RFC 2606). */
const PLACEHOLDER = 'host.invalid';

/** The documents are made when somebody asks for the first time. */
export function documentRoutes({ socketPort }: DocumentRoutesOptions): Middleware[] {
  const openApi = once(() => JSON.stringify(openApiDocument()));
  const asyncApi = once(() => JSON.stringify(asyncApiDocument({ host: PLACEHOLDER })));
  return [
    cachedJsonRoute(REST_OPERATIONS.openApi.path, openApi),
    cachedJsonRoute(REST_OPERATIONS.asyncApi.path, (context) =>
      asyncApi().replace(PLACEHOLDER, socketHost(context, socketPort)),
    ),
  ];
}

function once(make: () => string): () => string {
  let text: string | undefined;
  return () => {
    text ??= make();
    return text;
  };
}

/** What the caller put into Host is shown only where it is a host, since a cache may hand it to others. */
function socketHost({ host }: Context, socketPort: number | null): string {
  const [, name = 'localhost', port = ''] = /^([\w.-]{1,253}|\[[\da-f:.]{2,45}\])(:\d{1,5})?$/i.exec(host) ?? [];
  return socketPort === null ? name + port : `${name}:${socketPort}`;
}
