// What the clients asked and what they were told, for the judge.
import type { Accepted, Command } from '../../schemas/commands.ts';
import { isRejection, type Rejection, type RejectionCode } from '../../schemas/rejections.ts';

export type Answer = Accepted | Rejection;

/** A command that was given to one node once. */
export type Attempt = {
  command: Command;
  /** The log's head when it was sent. */
  headBefore: number;
  startedAt: number;
  /** The step after which its node does no more for it: it has answered, or is dead. Null: not yet. */
  endedAt: number | null;
  /** What the node answered, whether or not the client was still there; null: nothing. */
  answer: Answer | null;
};

/** The command is to be repeated: with the first it may have been done, with the others this node did nothing and will not. */
const REPEAT = new Set<RejectionCode>(['log_unavailable', 'partition_moving', 'unavailable', 'busy']);

/** Whether the client knows from it what became of the command. */
export function isDefinite(answer: Answer | null): answer is Answer {
  return answer !== null && !(isRejection(answer) && REPEAT.has(answer.rejected));
}

/** Whether the node told that it did nothing and will not. */
export function isDefiniteNo(answer: Answer | null): answer is Rejection {
  return answer !== null && isRejection(answer) && answer.rejected !== 'log_unavailable';
}

export function isAccepted(answer: Answer | null): answer is Accepted {
  return answer !== null && !isRejection(answer);
}
