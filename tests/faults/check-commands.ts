/* What became of every command. The attempts of one commandId belong together:
 * - accepted in any: in the log exactly once, where the answer says, and all answers are the same;
 * - else without an answer in any: at most once;  - else refused in all: not at all.
 * Nothing is in the log that nobody asked for. And what had been seen before a command was asked for stands before it in the log.
 */
import type { CommandType } from '../../schemas/commands.ts';
import type { ChatEvent, EventType } from '../../schemas/generated/events.ts';
import { explainNoop, explainRefusal } from './explain-answers.ts';
import { type FoldedLog, positionOf } from './folded-log.ts';
import type { Accepted, HistoryEntry, Invoked, Lost, Refused } from './history.ts';
import type { LoggedEvent } from './read-log.ts';
import type { SeenVersions } from './seen-versions.ts';
import type { Violations } from './violations.ts';

export type CommandCounts = { operations: number; attempts: number; accepted: number; refused: number; lost: number };

/** All attempts of one commandId. */
type Operation = {
  /** The first attempt. */
  first: Invoked;
  attempts: number;
  /** Attempts of which nobody knows what became. */
  unknown: number;
  answer: Accepted | null;
  noop: Accepted | null;
  /** The newest version that was seen of the room before the first attempt. */
  seen: number;
  /** The socket it was sent over. */
  lane: string;
};

/** Of which kind the event of a command is. */
const EVENT_OF: Record<CommandType, EventType> = {
  CreateRoom: 'RoomCreated',
  ChangeRoomDetails: 'RoomDetailsEdited',
  ArchiveRoom: 'RoomArchived',
  InviteMember: 'MemberInvited',
  JoinRoom: 'MemberJoined',
  LeaveRoom: 'MemberLeft',
  SendMessage: 'MessageSent',
};

export class CommandCheck {
  readonly counts: CommandCounts = { operations: 0, attempts: 0, accepted: 0, refused: 0, lost: 0 };
  readonly #log: FoldedLog;
  readonly #seen: SeenVersions;
  readonly #violations: Violations;
  readonly #operations = new Map<string, Operation>();
  /** Attempts without an outcome yet. */
  readonly #open = new Map<number, { operation: Operation; entry: Invoked; seen: number }>();
  /** How often sockets of the user came and went. */
  readonly #socketTurns = new Map<string, number>();

  constructor(log: FoldedLog, seen: SeenVersions, violations: Violations) {
    this.#log = log;
    this.#seen = seen;
    this.#violations = violations;
  }

  /** Takes the next entry of the history; those that are none of its business change nothing. */
  see(entry: HistoryEntry): void {
    const { kind } = entry;
    if (kind === 'invoked') this.#invoked(entry);
    else if (kind === 'accepted' || kind === 'refused' || kind === 'lost') this.#ended(entry);
    else if (kind === 'connected') this.#turn(entry.userId);
  }

  /** After the last entry: attempts without an outcome count as lost. */
  finish(): void {
    this.counts.lost += this.#open.size;
    this.counts.operations = this.#operations.size;
    const found = Map.groupBy(this.#log.events, ({ event }) => keyOfEvent(event));
    for (const [key, operation] of this.#operations) this.#judge(operation, found.get(key) ?? []);
    for (const [key, [logged]] of found) {
      if (logged && !this.#operations.has(key)) {
        this.#violations.add('commands', 'the log holds what nobody asked for', describe(logged));
      }
    }
    this.#checkSubmissionOrder();
  }

  #invoked(entry: Invoked): void {
    this.counts.attempts += 1;
    const key = keyOfCommand(entry);
    const seen = this.#seen.of(entry.roomId);
    let operation = this.#operations.get(key);
    if (operation === undefined) {
      const lane = `${entry.client}\0${entry.via}\0${this.#socketTurns.get(entry.userId) ?? 0}\0${entry.roomId}`;
      operation = { first: entry, attempts: 0, unknown: 0, answer: null, noop: null, seen, lane };
      this.#operations.set(key, operation);
    } else if (operation.first.type !== entry.type || operation.first.text !== entry.text) {
      this.#violations.add('history', 'a commandId was used for two different commands', { ...entry });
    }
    operation.attempts += 1;
    operation.unknown += 1;
    if (this.#open.has(entry.attempt)) this.#violations.add('history', 'an attempt was made twice', { ...entry });
    this.#open.set(entry.attempt, { operation, entry, seen });
  }

  #ended(outcome: Accepted | Refused | Lost): void {
    this.counts[outcome.kind] += 1;
    const open = this.#open.get(outcome.attempt);
    if (open === undefined) {
      this.#violations.add('history', 'an outcome without an attempt, or a second one', { ...outcome });
      return;
    }
    this.#open.delete(outcome.attempt);
    const { operation, entry, seen } = open;
    if (outcome.kind === 'lost') return;
    operation.unknown -= 1;
    if (outcome.kind === 'accepted') {
      this.#accepted(operation, outcome, seen);
      return;
    }
    const fault = explainRefusal(entry, outcome.code, this.#log.rooms.get(entry.roomId), seen);
    if (fault !== null) this.#violations.add('commands', fault, { code: outcome.code, seen, ...entry });
  }

  #accepted(operation: Operation, answer: Accepted, seen: number): void {
    const details = { answer, first: operation.first };
    if (answer.version !== null) this.#seen.saw(answer.roomId, answer.version);
    if (!answer.changed) {
      const { fault, version } = explainNoop(operation.first, answer, this.#log.rooms.get(answer.roomId), seen);
      if (fault !== null) this.#violations.add('commands', fault, { seen, ...details });
      if (operation.noop === null || version > (operation.noop.version ?? 0)) operation.noop = { ...answer, version };
      return;
    }
    if (operation.answer === null) operation.answer = answer;
    else if (!isSameAnswer(operation.answer, answer)) {
      this.#violations.add('commands', 'a command was answered in two ways', { ...details, other: operation.answer });
    }
  }

  #judge({ first, answer, noop, unknown, seen }: Operation, found: LoggedEvent[]): void {
    const [logged] = found;
    const tell = (message: string, check: 'commands' | 'order' = 'commands') =>
      this.#violations.add(check, message, { command: first, answer, found: found.slice(0, 3).map(describe) });
    if (found.length > 1) tell('a command is in the log more than once');
    if (logged === undefined) {
      if (answer !== null) tell('an acknowledged command is not in the log');
      return;
    }
    if (answer === null && unknown === 0) tell('a command that was never accepted is in the log');
    if (!isEventOf(logged.event, first)) tell('the log holds something else than was asked for');
    if (answer !== null && !isAnswerOf(answer, logged)) tell('an acknowledged command is not where its answer says');
    const { version } = logged.event.metadata;
    if (noop !== null && (noop.version ?? 0) >= version)
      tell('a command was done, and told that there was nothing to do');
    if (version <= seen) tell('a command stands before what had been seen when it was asked for', 'order');
  }

  /** Messages of one socket, sent without waiting, stand in the order in which they were sent. */
  #checkSubmissionOrder(): void {
    const lastByLane = new Map<string, { version: number; first: Invoked }>();
    for (const { first, attempts, answer, lane } of this.#operations.values()) {
      if (first.type !== 'SendMessage' || first.via === 'rest' || attempts > 1 || answer?.version == null) continue;
      const last = lastByLane.get(lane);
      if (last !== undefined && last.version > answer.version) {
        this.#violations.add('order', 'messages of one socket changed places', { sooner: last, later: first, answer });
      }
      lastByLane.set(lane, { version: answer.version, first });
    }
  }

  /**
   * The history does not say over which socket a command went. A client sends over one at a time; so from one coming of a
   * socket of its user to the next it is the same one.
   */
  #turn(userId: string): void {
    this.#socketTurns.set(userId, (this.#socketTurns.get(userId) ?? 0) + 1);
  }
}

function keyOfCommand({ userId, type, roomId, commandId }: Invoked): string {
  return JSON.stringify([userId, type === 'CreateRoom' ? '' : roomId, commandId]);
}

function keyOfEvent({ type, roomId, metadata }: ChatEvent): string {
  return JSON.stringify([metadata.actor.userId, type === 'RoomCreated' ? '' : roomId, metadata.commandId]);
}

function isSameAnswer(left: Accepted, right: Accepted): boolean {
  const isSameVersion = left.version === null || right.version === null || left.version === right.version;
  return isSameVersion && left.roomId === right.roomId && left.id === right.id && left.position === right.position;
}

function isAnswerOf({ roomId, id, version, position }: Accepted, logged: LoggedEvent): boolean {
  const { event } = logged;
  return (
    roomId === event.roomId &&
    id === (event.type === 'MessageSent' ? event.messageId : event.roomId) &&
    (version === null || version === event.metadata.version) &&
    position === positionOf(logged)
  );
}

function isEventOf(event: ChatEvent, command: Invoked): boolean {
  if (event.type !== EVENT_OF[command.type]) return false;
  switch (event.type) {
    case 'MessageSent':
      return event.text === command.text;
    case 'MemberInvited':
    case 'MemberJoined':
    case 'MemberLeft':
      return event.userId === (command.aboutUserId ?? command.userId);
    case 'RoomCreated':
    case 'RoomDetailsEdited':
    case 'RoomArchived':
      return true;
  }
}

function describe(logged: LoggedEvent): Record<string, unknown> {
  const { type, roomId, metadata } = logged.event;
  const { actor, commandId, version } = metadata;
  return { position: positionOf(logged), roomId, version, type, userId: actor.userId, commandId };
}
