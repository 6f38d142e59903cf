// Sends a session that came back exactly the events that it missed: from the room's ring where that reaches back far enough, else
// page by page from PostgreSQL until the ring does. How far behind the session is makes no difference but time.
import type { Logger } from '../../platform/logger.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { type Rejection, reject } from '../../schemas/rejections.ts';
import { BOUNDS } from '../bounds.ts';
import { type EncodedFrame, joinFrames } from '../frames/encoded-frame.ts';
import type { Participant } from './participant.ts';
import type { RoomSource } from './room-source.ts';
import { changesRightAbove, changeToFrame, type RoomState } from './room-state.ts';

export type MissedEventsDeps = {
  source: RoomSource;
  now: () => number;
  pause: (ms: number) => Promise<void>;
  logger: Logger;
  /** Events read at once. */
  missedPage: number;
  /** Whether the session may still be sent to. */
  goesOn: () => boolean;
  /** Nothing is missing any more: from this call on the session must get what happens. */
  letIn: () => void;
};

/**
 * Resolves with the version up to which the session has everything, after `letIn`, which is called in the very step in which
 * that is found: an await in between would be long enough for the next event to slip through. Else with the refusal; the session
 * then has a part of what it missed, without a gap.
 */
export async function sendMissed(
  state: RoomState,
  session: Participant,
  after: number,
  deps: MissedEventsDeps,
): Promise<number | Rejection> {
  let version = after;
  let deadline = deps.now() + BOUNDS.snapshotMs;
  while (deps.goesOn()) {
    const inRing = state.ring.after(version);
    if (inRing !== null) {
      sendTogether(session, inRing);
      deps.letIn();
      return state.version;
    }
    // Not beyond what is known here: up to there the session's right to see it has been checked.
    const upTo = state.version;
    const page = await readPage(state.roomId, version, deps);
    if (page === null) return reject('unavailable');
    const changes = changesRightAbove(page, version).filter((change) => change.version <= upTo);
    if (!deps.goesOn()) break;
    if (changes.length > 0) {
      sendTogether(
        session,
        changes.map(changeToFrame).filter((frame) => frame !== null),
      );
      version = changes.at(-1)?.version ?? version;
      if (!(await hasRoom(session, deps))) break;
      deadline = deps.now() + BOUNDS.snapshotMs;
    } else if (deps.now() >= deadline) {
      return reject('projection_behind');
    } else {
      await deps.pause(BOUNDS.lookAgainMs);
    }
  }
  return reject('unavailable');
}

function sendTogether(session: Participant, frames: EncodedFrame[]): void {
  if (frames.length > 0) session.transport.sendBatch(joinFrames(frames));
}

async function readPage(roomId: string, after: number, deps: MissedEventsDeps) {
  try {
    return await deps.source.eventsAfter(roomId, after, deps.missedPage);
  } catch (error) {
    deps.logger.warn({ err: error, roomId }, 'missed events cannot be read');
    return null;
  }
}

/** Waits until the client has read most of what it was sent. One that stops reading is closed, as any slow consumer is. */
async function hasRoom(session: Participant, deps: MissedEventsDeps): Promise<boolean> {
  const most = Math.min(BOUNDS.resumeQueueBytes, LIMITS.socketQueueBytes / 2);
  const deadline = deps.now() + BOUNDS.resumeStallMs;
  while (deps.goesOn() && session.transport.queuedBytes > most) {
    if (deps.now() >= deadline) session.transport.close('slowConsumer');
    else await deps.pause(BOUNDS.lookAgainMs);
  }
  return deps.goesOn();
}
