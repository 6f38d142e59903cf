// A client of the simulation: a user who wishes one thing after the other, and repeats a command under its commandId until it is
// told what became of it, or gives it up for good.
import type { Command, CommandBody } from '../../schemas/commands.ts';
import type { Actor } from '../../schemas/generated/events.ts';
import { type Answer, isDefinite } from './attempts.ts';
import type { Wish } from './scenario.ts';
import type { Schedule } from './schedule.ts';

export type ClientDeps = {
  schedule: Schedule;
  /** Gives the command to the node that has this number now. */
  call: (node: number, command: Command) => Promise<Answer | null>;
};

/** What it was told, in the order it wished; null where it gave up. */
export type Settled = { command: Command; answer: Answer | null };

export function userOf(client: number): Actor {
  return { userId: `user-${client}`, username: `User ${client}` };
}

/** Resolves when all wishes are settled, having put each into `settled` when it was. */
export async function runClient(
  client: number,
  wishes: readonly Wish[],
  settled: Settled[],
  deps: ClientDeps,
): Promise<void> {
  for (const [index, wish] of wishes.entries()) {
    const command = commandOf(client, index, wish, deps.schedule.nowMs);
    settled.push({ command, answer: await settle(command, wish, deps) });
  }
}

const IMPATIENT_ATTEMPTS = 2;

async function settle(command: Command, wish: Wish, { schedule, call }: ClientDeps): Promise<Answer | null> {
  for (let attempt = 0; wish.tries === null || attempt < wish.tries; attempt++) {
    await schedule.turn(`${command.commandId} is sent`);
    const node = wish.node + attempt;
    const calls = [call(node, command)];
    if (wish.twin !== null && attempt === 0) calls.push(call(node + wish.twin, command));
    // Who never waited would never be told.
    const patience = attempt < IMPATIENT_ATTEMPTS ? wish.patience : null;
    const answers = calls.map((one) => withPatience(one, patience, command, schedule));
    const answer = await firstDefinite(answers);
    if (answer !== null) return answer;
  }
  return null;
}

/** Null is no answer, also one that comes too late for this client. */
function withPatience(
  call: Promise<Answer | null>,
  patience: number | null,
  { commandId }: Command,
  schedule: Schedule,
): Promise<Answer | null> {
  if (patience === null) return call;
  return Promise.race([call, schedule.turns(`${commandId} is given up here`, patience + 1).then(() => null)]);
}

/** Null when all are in and none is definite. */
async function firstDefinite(answers: readonly Promise<Answer | null>[]): Promise<Answer | null> {
  return await new Promise((resolve) => {
    let left = answers.length;
    for (const answer of answers) {
      void answer.then((known) => {
        if (isDefinite(known)) resolve(known);
        if (--left === 0) resolve(null);
      });
    }
  });
}

function commandOf(client: number, index: number, wish: Wish, now: number): Command {
  const commandId = `${wish.kind}-${client}.${index}`;
  const body = bodyOf(client, index, wish);
  return { body, actor: userOf(client), onBehalfOf: null, isOperator: false, commandId, correlationId: commandId, now };
}

function bodyOf(client: number, index: number, { kind, room }: Wish): CommandBody {
  const roomId = `room-${room}`;
  switch (kind) {
    case 'create':
      return createRoom(roomId, room === 1);
    case 'join':
      return { type: 'JoinRoom', roomId };
    case 'leave':
      return { type: 'LeaveRoom', roomId };
    case 'invite':
      return { type: 'InviteMember', roomId, userId: userOf(client + 1).userId };
    case 'rename':
      return { type: 'ChangeRoomDetails', roomId, name: `Name ${index % 2}` };
    case 'archive':
      return { type: 'ArchiveRoom', roomId };
    case 'send':
      return sendMessage(roomId, `${client}.${index}`);
  }
}

export function createRoom(roomId: string, isPrivate: boolean): CommandBody {
  return { type: 'CreateRoom', roomId, spaceId: 'space', name: 'Name', description: '', isPrivate };
}

export function sendMessage(roomId: string, text: string): CommandBody {
  return { type: 'SendMessage', roomId, messageId: `message-${text}`, text, replyTo: null, originalTime: null };
}
