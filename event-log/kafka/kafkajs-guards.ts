// What has to be put right in kafkajs 2.2.4 before it is used. Importing this file does it; every file of the adapter that uses
// kafkajs imports from here, so nothing runs unguarded. docs/decisions/0004-kafka-fetch.md lists the traps and what removes each.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect, type Socket } from 'node:net';
import type { ISocketFactory } from 'kafkajs';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

/** The only version whose internals were read and tried. */
const GUARDED_VERSION = '2.2.4';

/** Milliseconds of silence after which the operating system asks whether the other side is still there. */
const KEEP_ALIVE_MS = 10_000;

export type BrokerAddress = { host: string; port: number };

assertGuardedVersion(installedVersion());
quietIdleQueues(RequestQueue.prototype);

/** Fails on another version of kafkajs: its internals may look the same and mean something else. */
export function assertGuardedVersion(version: string): void {
  assert.equal(
    version,
    GUARDED_VERSION,
    `kafkajs ${version} is installed; the adapter's guards are for ${GUARDED_VERSION}`,
  );
}

/**
 * Stops the timer that kafkajs re-arms every millisecond on every idle connection (its issue 1751: the delay it computes is
 * negative when nothing throttles it). A queue in which nothing waits has nothing to check; the next request that has to wait
 * arms the timer again itself. Fails when the method is not there, because then the guard would guard nothing.
 */
export function quietIdleQueues(queue: { pending: unknown[]; scheduleCheckPendingRequests(): void }): void {
  const schedule: unknown = queue.scheduleCheckPendingRequests;
  assert.ok(typeof schedule === 'function', 'kafkajs has no RequestQueue#scheduleCheckPendingRequests to put right');
  queue.scheduleCheckPendingRequests = function scheduleUnlessIdle(): void {
    if (this.pending.length > 0) schedule.call(this);
  };
}

/**
 * Sockets without Nagle's delay, which kafkajs leaves on, and with keep-alive. Each is put into `sockets` while it lives, so that
 * the owner can end all of them at once: kafkajs' own disconnect waits for answers that may never come. `route` says where a
 * broker is really reached (a tunnel, another network). Once `givenUp` has aborted, a socket is ended as soon as it is made: kafkajs
 * opens one for what it was just doing, and nobody would end that one.
 */
export function socketFactory(
  sockets: Set<Socket>,
  route: (broker: BrokerAddress) => BrokerAddress,
  givenUp?: AbortSignal,
): ISocketFactory {
  return ({ host, port, onConnect }) => {
    const socket = connect(route({ host, port }), onConnect);
    if (givenUp?.aborted) socket.destroy(new Error('the connection was given up'));
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
}

/** Ends all sockets at once. The error is what makes kafkajs notice: it does not listen to `close`. */
export function destroySockets(sockets: ReadonlySet<Socket>, reason: string): void {
  for (const socket of sockets) socket.destroy(new Error(reason));
}

function installedVersion(): string {
  const path = createRequire(import.meta.url).resolve('kafkajs/package.json');
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string };
  return version;
}
