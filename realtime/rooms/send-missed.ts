/* Sends a session that came back exactly the events that it missed. What the room's ring reaches back to comes from there, in one
 * piece; what is older in blocks of history, which all sessions of the node share, until the ring does. How far behind the session
 * is makes no difference but time.
 */
import type { Logger } from '../../platform/logger.ts';
import { isRejection, type Rejection, reject } from '../../schemas/rejections.ts';
import { BOUNDS } from '../bounds.ts';
import type { FrameBlock } from '../frames/frame-block.ts';
import { hasRoom, isFull } from './has-room.ts';
import { type HistoryBlocks, TooManyBlocksError } from './history-blocks.ts';
import type { Participant } from './participant.ts';
import type { ResumeTurns } from './resume-turns.ts';
import type { RoomState } from './room-state.ts';

export type MissedEventsDeps = {
  blocks: Pick<HistoryBlocks, 'after'>;
  resumeTurns: ResumeTurns;
  now: () => number;
  pause: (ms: number) => Promise<void>;
  logger: Logger;
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
    if (isFull(session.transport) && !(await hasRoom(session.transport, deps))) break;
    const rest = state.framesAfter(version);
    if (rest !== null) {
      if (rest.wsBytes.length > 0) session.transport.sendBatch(rest);
      deps.letIn();
      return state.version;
    }
    const block = await readBlock(state.roomId, version, deps);
    if (block !== null && isRejection(block)) return block;
    if (block !== null) {
      // Asked for again after each piece: a client that reads slowly must not keep a block that nobody else wants.
      await deps.resumeTurns.take();
      if (!deps.goesOn()) break;
      // Others may have filled it while this one waited for the block and its turn.
      if (isFull(session.transport)) continue;
      version = sendPiece(session, block, version, state);
      deadline = deps.now() + BOUNDS.snapshotMs;
    } else if (deps.now() >= deadline) {
      return reject('projection_behind');
    } else {
      await deps.pause(BOUNDS.lookAgainMs);
    }
  }
  return reject('unavailable');
}

function sendPiece(session: Participant, block: FrameBlock, version: number, state: RoomState): number {
  // Not beyond what is known here: up to there the session's right to see it has been checked.
  const { batch, upTo } = block.part(version, Math.min(block.upTo, state.version), BOUNDS.resumePieceBytes);
  if (batch.wsBytes.length > 0) session.transport.sendBatch(batch);
  return upTo;
}

async function readBlock(
  roomId: string,
  version: number,
  { blocks, logger }: MissedEventsDeps,
): Promise<FrameBlock | null | Rejection> {
  try {
    return await blocks.after(roomId, version);
  } catch (error) {
    if (error instanceof TooManyBlocksError) return reject('busy');
    logger.warn({ err: error, roomId }, 'missed events cannot be read');
    return reject('unavailable');
  }
}
