// Turns lines of a recorded chat into steps, the commands they stand for. It follows who is a member of which room, so that a
// user who speaks without having joined joins first, and it knows the id each message will have, so that a reply can be sent
// while the message it answers is still on its way.
import { messageIdOf } from '../../commands/client/message-id.ts';
import { checkMessageText } from '../../schemas/requests.ts';
import type { ChatLine } from './chat-file.ts';

export type MembershipStep = { kind: 'join' | 'leave'; line: number; roomId: string; user: string; commandId: string };
export type MessageStep = {
  kind: 'message';
  line: number;
  roomId: string;
  user: string;
  commandId: string;
  text: string;
  replyTo: string | null;
  originalTime: string;
};
export type Step = MembershipStep | MessageStep;

export type Planner = {
  /** The steps of a line, in order. Lines are to be given in the order of the file, each once. */
  plan(line: ChatLine): Step[];
  /** Replies that had to be left out, because the line answered is no message that the rules take. */
  readonly lostReplies: number;
};

/** The id of the command that a line stands for. A join that the file does not have is told apart by its ending. */
export function commandIdOf(fileId: string, line: number): string {
  return `${fileId}:${line}`;
}

/** The line of a command that this file made, or null where the command is of somebody else. */
export function lineOfCommand(fileId: string, commandId: string): number | null {
  const match = /^([0-9a-f]+):(\d+)$/.exec(commandId);
  return match?.[1] === fileId ? Number(match[2]) : null;
}

export function createPlanner(options: { fileId: string; roomIdByName: ReadonlyMap<string, string> }): Planner {
  const { fileId, roomIdByName } = options;
  const membersByRoom = new Map<string, Set<string>>();
  /** Per line the user and room whose message can be answered, or null. It grows with the file, by one reference a line. */
  const authorByLine: ({ user: string; roomId: string } | null)[] = [];
  let lostReplies = 0;

  function membersOf(roomId: string): Set<string> {
    const known = membersByRoom.get(roomId);
    if (known !== undefined) return known;
    const members = new Set<string>();
    membersByRoom.set(roomId, members);
    return members;
  }

  function replyIdOf(said: ChatLine, roomId: string): string | null {
    if (said.replyTo === null) return null;
    const author = said.replyTo < said.line ? (authorByLine[said.replyTo] ?? null) : null;
    if (author === null || author.roomId !== roomId) {
      lostReplies += 1;
      return null;
    }
    return messageIdOf({ roomId, userId: author.user, commandId: commandIdOf(fileId, said.replyTo) });
  }

  return {
    get lostReplies() {
      return lostReplies;
    },
    plan(said) {
      const { line, room, user } = said;
      const roomId = roomIdByName.get(room);
      if (roomId === undefined)
        throw new Error(`line ${line + 1} names a room that was not there when the file was read first`);
      const commandId = commandIdOf(fileId, line);
      const members = membersOf(roomId);
      switch (said.type) {
        case 'join':
          members.add(user);
          authorByLine[line] = null;
          return [{ kind: 'join', line, roomId, user, commandId }];
        case 'leave':
          members.delete(user);
          authorByLine[line] = null;
          return [{ kind: 'leave', line, roomId, user, commandId }];
        case 'message':
        case 'action': {
          const steps: Step[] = [];
          if (!members.has(user)) steps.push({ kind: 'join', line, roomId, user, commandId: `${commandId}:join` });
          members.add(user);
          const replyTo = replyIdOf(said, roomId);
          steps.push({
            kind: 'message',
            line,
            roomId,
            user,
            commandId,
            text: said.text,
            replyTo,
            originalTime: said.at,
          });
          authorByLine[line] = checkMessageText(said.text) === null ? { user, roomId } : null;
          return steps;
        }
      }
    },
  };
}
