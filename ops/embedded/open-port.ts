// Listens on a port that a setting names, and says so in a sentence where that is not possible.
import type { Server } from 'node:http';
import type Koa from 'koa';
import { listen } from '../../platform/http-app.ts';

/** The port is not to be had; the message names it and the setting that chooses another one. */
export class PortUnavailableError extends Error {
  override readonly name = 'PortUnavailableError';
  readonly code = 'port_unavailable';
  readonly retryable = false;
}

export async function openPort(app: Koa, port: number, setting: string): Promise<Server> {
  try {
    return await listen(app, port);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const reason = REASONS[code] ?? `cannot be opened (${code})`;
    throw new PortUnavailableError(`Port ${port} ${reason}: choose another one with ${setting}=<port>.`, {
      cause: error,
    });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is taken by another program',
  EACCES: 'may not be opened by this user',
};
