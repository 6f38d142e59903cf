/* Finds TCP ports on 127.0.0.1 for servers that are started here and have no fixed port. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/* Below the ranges from which Linux (32768) and macOS (49152) take the ports of outgoing connections: a port chosen there could
   be gone again, to some client's connection, in the seconds until the server binds it. */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const MAX_ATTEMPTS = 200;

/**
 * A port on 127.0.0.1 that nobody listens on at this moment. It is not reserved: whoever starts a server on it must be
 * prepared for the rare case that another process was quicker.
 */
export async function freePort(except: ReadonlySet<number> = new Set()): Promise<number> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if (!except.has(port) && (await isPortFree(port))) return port;
  }
  throw new Error(`no free port found on 127.0.0.1 between ${FIRST_PORT} and ${LAST_PORT} in ${MAX_ATTEMPTS} attempts`);
}

/** Whether a server could listen on this port of 127.0.0.1 now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    // Whatever the reason (taken, privileged, reserved), the port is of no use to the caller.
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
