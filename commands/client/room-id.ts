// The id of a room whose creator named the command: like that of a message (message-id.ts), it follows from the command, so a
// creation that is repeated long after the server has forgotten it still means the same room.
import { type Ids, idFromWords } from '../../platform/ids.ts';

/** `userId` is the subject's: whom an operator acts for, else the bearer of the token. */
export function roomIdOf(command: { userId: string; commandId: string }): string {
  return idFromWords('room', command.userId, command.commandId);
}

/** The same, or a new UUIDv7 where the creator gave no commandId. */
export function roomIdFor(command: { userId: string; commandId: string | undefined }, ids: Ids): string {
  const { userId, commandId } = command;
  return commandId === undefined ? ids.next() : roomIdOf({ userId, commandId });
}
