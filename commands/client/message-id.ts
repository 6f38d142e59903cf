// The id of a message whose sender named the command. It follows from the command alone, so a sender that pipelines knows the
// ids of its messages before they are answered (an importer's replies need them), and a repeated command means the same message
// whichever node takes it. Without a commandId there is nothing to derive from: then the node makes a UUIDv7.
import { type Ids, idFromWords } from '../../platform/ids.ts';

/**
 * The id that the message of this command has. `userId` is the subject's: whom an operator acts for, else the bearer of the
 * token. The room and the user are part of it because a commandId is only its sender's own choice of words.
 */
export function messageIdOf(command: { roomId: string; userId: string; commandId: string }): string {
  return idFromWords('message', command.roomId, command.userId, command.commandId);
}

/** The same, or a new UUIDv7 where the sender gave no commandId. */
export function messageIdFor(
  command: { roomId: string; userId: string; commandId: string | undefined },
  ids: Ids,
): string {
  const { roomId, userId, commandId } = command;
  return commandId === undefined ? ids.next() : messageIdOf({ roomId, userId, commandId });
}
