// Whether a socket has read so much of what it was sent that it may be sent more of what it missed. Live frames do not ask: they cannot
// wait, and a socket that does not keep up with them is closed.
import { BOUNDS } from '../bounds.ts';
import type { Transport } from '../sessions/transport.ts';

export type HasRoomDeps = {
  now: () => number;
  pause: (ms: number) => Promise<void>;
  /** Whether the socket may still be sent to. */
  goesOn: () => boolean;
};

/** Whether it has to be waited for. */
export function isFull(transport: Pick<Transport, 'queuedBytes'>): boolean {
  return transport.queuedBytes > BOUNDS.resumeQueueBytes;
}

/**
 * Waits until the client has read most of what it was sent; false when it may not be sent to any more. One that takes nothing at all for
 * BOUNDS.resumeStallMs is closed, as any slow consumer is; one that waits for many rooms takes something all the time.
 */
export async function hasRoom(
  transport: Pick<Transport, 'queuedBytes' | 'close'>,
  { now, pause, goesOn }: HasRoomDeps,
): Promise<boolean> {
  let deadline = now() + BOUNDS.resumeStallMs;
  let before = transport.queuedBytes;
  while (goesOn() && isFull(transport)) {
    const queued = transport.queuedBytes;
    if (queued < before) deadline = now() + BOUNDS.resumeStallMs;
    before = queued;
    if (now() >= deadline) transport.close('slowConsumer');
    else await pause(BOUNDS.lookAgainMs);
  }
  return goesOn();
}
