// A client's session as a room sees it.
import type { ClientFrameAnswer } from '../../schemas/client-frames.ts';
import type { CLIENT_FRAMES } from '../../schemas/wire.ts';
import type { Transport } from '../sessions/transport.ts';

export type Participant = {
  readonly userId: string;
  readonly username: string;
  readonly transport: Transport;
  /** False once the session has ended: then it must not be let in any more. */
  isOpen(): boolean;
  /** The room has taken the session out by itself: its user left, or the room failed here. */
  leftRoom(roomId: string): void;
};

/**
 * The room has been joined, and everything up to `version` has been sent. `recovered` is there when the client said what it had:
 * true where everything after that was sent, false where the newest messages were sent instead.
 */
export type Joined = ClientFrameAnswer<typeof CLIENT_FRAMES.joinRoom>;
