// THE JUDGE: what must hold of every answer, and of the log at the end. It knows the true log and what clients asked and were told,
// and nothing of how the product comes by it. The rules are those of docs/spec/simulation.md.
import { isDeepStrictEqual } from 'node:util';
import { decide, isRefused } from '../../commands/chatroom/decide.ts';
import type { RoomState } from '../../commands/chatroom/state.ts';
import { idOf } from '../../commands/partition/remembered-commands.ts';
import type { LogRecord } from '../../event-log/event-log.ts';
import {
  type Accepted,
  type Command,
  parsePosition,
  positionOf,
  streamOfRoom,
  subjectOf,
} from '../../schemas/commands.ts';
import { isRejection } from '../../schemas/rejections.ts';
import { type Answer, type Attempt, isAccepted, isDefinite, isDefiniteNo } from './attempts.ts';
import type { Settled } from './client.ts';
import type { TrueLog, TrueRecord } from './true-log.ts';

export type JudgeDeps = { truth: TrueLog; fail: (what: string) => void };

export class Judge {
  readonly #deps: JudgeDeps;
  readonly #attempts = new Map<string, Attempt[]>();

  constructor(deps: JudgeDeps) {
    this.#deps = deps;
  }

  /** A client is about to give the command to a node. */
  begin(command: Command, step: number): Attempt {
    const key = keyOf(command);
    const attempts = this.#attempts.get(key) ?? [];
    this.#checkNotDone(attempts);
    const attempt = { command, headBefore: this.#deps.truth.head, startedAt: step, endedAt: null, answer: null };
    this.#attempts.set(key, [...attempts, attempt]);
    return attempt;
  }

  /** Every command that was given to anybody. */
  commands(): Command[] {
    return [...this.#attempts.values()].flatMap(([first]) => (first ? [first.command] : []));
  }

  /** Holds an answer against the log as it is at the moment it is given. */
  told({ command, answer, headBefore }: Attempt): void {
    if (!isDefinite(answer)) return;
    if (isAccepted(answer) && answer.changed) this.#checkAccepted(command, answer);
    else if (!this.#couldBeDecided(command, answer, headBefore)) {
      this.#deps.fail(
        `${command.commandId} was told ${JSON.stringify(answer)}, which was right at no moment since it was sent`,
      );
    }
  }

  /** What was read of [from, to) is what counts there. */
  readingIs(who: string, records: readonly LogRecord[], from: number, to: number): void {
    const found = records.map(({ offset, key, value }) => ({ offset, key, value: value.toString('hex') }));
    const wanted = this.#deps.truth.records
      .filter(({ offset }) => offset >= from && offset < to)
      .map(({ offset, key, value }) => ({ offset, key, value: value.toString('hex') }));
    if (isDeepStrictEqual(found, wanted)) return;
    const [is, should] = [found, wanted].map((list) => list.map(({ offset }) => offset).join(' '));
    this.#deps.fail(`${who} read the offsets ${is} of [${from}, ${to}), where ${should} count`);
  }

  /** When nothing can happen any more. */
  atEnd(clients: readonly (readonly Settled[])[]): void {
    for (const attempts of this.#attempts.values()) {
      this.#checkNotDone(attempts);
      for (const attempt of attempts) this.#checkRefusedStays(attempt, attempts);
    }
    for (const settled of clients) this.#checkOrder(settled);
  }

  /** What a node that has read everything answers to a command that changes nothing; null for one that would change something. */
  expectedAnswer(command: Command): object | null {
    const { truth } = this.#deps;
    const done = this.#recordOf(command);
    if (done) return acceptedAs(done, command);
    const { state, lastOffset } = truth.stateAt(streamOfRoom(command.body.roomId), truth.head);
    const decision = decide(command, state);
    if (isRefused(decision)) return { rejected: decision.rejected };
    return decision.length > 0 ? null : unchangedAt(command, state, lastOffset);
  }

  #checkAccepted(command: Command, answer: Accepted): void {
    const record = this.#recordOf(command);
    const { commandId } = command;
    if (!record) this.#deps.fail(`${commandId} was acknowledged at ${answer.position}, and the log does not have it`);
    else if (!isDeepStrictEqual(comparable(answer), acceptedAs(record, command))) {
      this.#deps.fail(`${commandId} was told ${JSON.stringify(answer)} and stands at offset ${record.offset}`);
    }
  }

  /** Whether the command, decided on a state that was the newest at some moment since it was sent, gets this answer. */
  #couldBeDecided(command: Command, answer: Answer, since: number): boolean {
    const { truth } = this.#deps;
    const stream = streamOfRoom(command.body.roomId);
    for (let offset = truth.head; offset >= since; offset--) {
      const { state, lastOffset } = truth.stateAt(stream, offset);
      const decision = decide(command, state);
      if (isRefused(decision)) {
        if (isRejection(answer) && answer.rejected === decision.rejected) return true;
      } else if (
        decision.length === 0 &&
        isDeepStrictEqual(comparable(answer), unchangedAt(command, state, lastOffset))
      ) {
        return true;
      }
    }
    return false;
  }

  /** Where every node that was asked so far says that it did nothing, nothing was done. */
  #checkNotDone(attempts: readonly Attempt[]): void {
    const [first] = attempts;
    if (!first || !attempts.every(({ answer }) => isDefiniteNo(answer))) return;
    const record = this.#recordOf(first.command);
    if (record) this.#deps.fail(`${first.command.commandId} was refused, and stands at offset ${record.offset}`);
  }

  /** A refusal is final where nobody else was still at the command when it was sent for the last time. */
  #checkRefusedStays(attempt: Attempt, attempts: readonly Attempt[]): void {
    const { command, answer, startedAt } = attempt;
    if (answer === null || !isRejection(answer) || !isDefinite(answer)) return;
    const isAlone = attempts.every((one) => one === attempt || (one.endedAt !== null && one.endedAt <= startedAt));
    const record = this.#recordOf(command);
    if (isAlone && record) {
      this.#deps.fail(`${command.commandId} was refused (${answer.rejected}), and stands at offset ${record.offset}`);
    }
  }

  /** What a client was told one after the other stands in the log one after the other. */
  #checkOrder(settled: readonly Settled[]): void {
    let last = -1;
    for (const { command, answer } of settled) {
      if (!isAccepted(answer) || !answer.changed) continue;
      const offset = parsePosition(answer.position)?.offset ?? -1;
      if (offset <= last)
        this.#deps.fail(`${command.commandId} stands at offset ${offset}, and what came before it at ${last}`);
      last = offset;
    }
  }

  #recordOf(command: Command): TrueRecord | undefined {
    return this.#deps.truth.ofCommand(subjectOf(command).userId, command.commandId);
  }
}

function keyOf(command: Command): string {
  return `${subjectOf(command).userId} ${command.commandId}`;
}

/** Of an acceptance all but the time, which a repetition has from the first one; of a refusal the code. */
export function comparable(answer: Answer): object {
  if (isRejection(answer)) return { rejected: answer.rejected };
  const { occurredAt: _occurredAt, ...rest } = answer;
  return rest;
}

function acceptedAs({ offset, event }: TrueRecord, { body }: Command): object {
  const { version } = event.metadata;
  return { roomId: body.roomId, id: idOf(event), version, position: positionOf(0, offset), changed: true };
}

function unchangedAt({ body }: Command, { version }: RoomState, lastOffset: number): object {
  return { roomId: body.roomId, id: body.roomId, version, position: positionOf(0, lastOffset), changed: false };
}
