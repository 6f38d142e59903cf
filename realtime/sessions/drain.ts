/* Sending the sockets of a node away so that they do not all arrive at the other nodes in the same moment.
 *
 * They go in portions over the time that the node has for it: also those come back spread that come back at once. Each is told to
 * wait a random while more. Until its portion is due a socket is served as always. Then it is read no more, what is under way is
 * answered, and it is closed with `draining` after a frame with its wait. Few sockets go at once and wait hardly longer.
 */
import { CLOSE_CODES } from '../../schemas/close-codes.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { BOUNDS } from '../bounds.ts';
import { encodeFrame } from '../frames/encoded-frame.ts';
import type { Transport } from './transport.ts';

export type Leaving = {
  readonly transport: Transport;
  /** Takes no more frames of the client; what is under way goes on. */
  stopReading(): void;
  /** Whether frames of the client still wait for their answer. */
  readonly isBusy: boolean;
};

export type DrainDeps = {
  /** Milliseconds over which the portions are spread. */
  drainMs: number;
  pause: (ms: number) => Promise<unknown>;
  /** From 0 to 1. */
  random: () => number;
};

/** Resolves when every transport is closed, at most BOUNDS.drainAnswersMs after the time for the portions is over. */
export async function drain(sockets: readonly Leaving[], deps: DrainDeps): Promise<void> {
  const portions = Math.max(1, Math.floor(deps.drainMs / BOUNDS.drainEveryMs));
  const size = Math.max(BOUNDS.drainPortion, Math.ceil(sockets.length / portions));
  // About what a node needs to take a socket: so many milliseconds as there are sockets.
  const spreadMs = Math.min(sockets.length, LIMITS.drainSpreadMs);
  const leaving: Promise<void>[] = [];
  for (let first = 0; first < sockets.length; first += size) {
    if (first > 0) await deps.pause(BOUNDS.drainEveryMs);
    leaving.push(sendAway(sockets.slice(first, first + size), spreadMs, deps));
  }
  await Promise.all(leaving);
}

/** Resolves when nothing lingers any more, at the latest after BOUNDS.goodbyeMs. */
export async function untilGone(lingering: { size: () => number }, deps: Pick<DrainDeps, 'pause'>): Promise<void> {
  for (let waitedMs = 0; lingering.size() > 0 && waitedMs < BOUNDS.goodbyeMs; waitedMs += LOOK_MS) {
    await deps.pause(LOOK_MS);
  }
}

async function sendAway(portion: readonly Leaving[], spreadMs: number, deps: DrainDeps): Promise<void> {
  for (const socket of portion) socket.stopReading();
  let staying = portion;
  for (let waitedMs = 0; staying.length > 0; waitedMs += LOOK_MS) {
    const isLate = waitedMs >= BOUNDS.drainAnswersMs;
    for (const { transport, isBusy } of staying) {
      if (isBusy && !isLate) continue;
      const afterMs = CLOSE_CODES.draining.afterMs + Math.round(deps.random() * spreadMs);
      transport.send(encodeFrame(SERVER_FRAMES.draining, { afterMs }));
      transport.close('draining', afterMs);
    }
    if (isLate) return;
    staying = staying.filter(({ isBusy }) => isBusy);
    if (staying.length > 0) await deps.pause(LOOK_MS);
  }
}

const LOOK_MS = 10;
