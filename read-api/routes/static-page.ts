// Serves the folder of the plain page. @koa/send resolves paths inside the folder only; hidden files are not served.
import { send } from '@koa/send';
import type { Middleware } from 'koa';

const MAX_AGE_MS = 0;

/** GET and HEAD of files in the folder, `/` being its index.html; everything else goes on to the next route. */
export function servePage(folder: string): Middleware {
  return async (context, next) => {
    await next();
    const isRead = context.method === 'GET' || context.method === 'HEAD';
    if (!isRead || context.status !== 404 || context.body !== undefined || context.path.startsWith('/api/')) return;
    try {
      await send(context, context.path, {
        root: folder,
        index: 'index.html',
        extensions: ['.html'],
        maxAge: MAX_AGE_MS,
      });
    } catch (error) {
      // A path that names no file of the folder is not found, however it was written: the app answers that.
      if (!isNoFile(error)) throw error;
    }
  };
}

function isNoFile(error: unknown): boolean {
  if (!(error instanceof Error) || !('status' in error)) return false;
  return error.status === 404 || error.status === 403 || error.status === 400;
}
