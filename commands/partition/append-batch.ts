// Commands decided together into one append. Each is decided on the state that the ones before it will leave behind, and no
// decision, refusals included, is told to anybody before the log has confirmed that the state was complete: by taking the
// append, or, where there is nothing to append, by its head.
import type { Codec } from '../../event-log/codec/codec.ts';
import type { NewRecord } from '../../event-log/event-log.ts';
import type { Ids } from '../../platform/ids.ts';
import { type Accepted, type Command, positionOf } from '../../schemas/commands.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { type Rejection, reject } from '../../schemas/rejections.ts';
import { decide, isRefused } from '../chatroom/decide.ts';
import { type NewEvent, withMetadata } from '../chatroom/new-event.ts';
import { evolve, type RoomState } from '../chatroom/state.ts';
import { fingerprintOfCommand } from './fingerprint.ts';
import type { PartitionState } from './partition-state.ts';
import { commandKey, idOf, rememberedAnswer } from './remembered-commands.ts';
import type { Answer, WaitingCommand } from './waiting-list.ts';

export type AppendBatchDeps = { state: PartitionState; codec: Codec; ids: Ids };

/** What a command will be told. An acceptance gets the position of that record of the batch; null: it has one already. */
type Pending = { waiting: WaitingCommand; answer: Answer; recordIndex: number | null };
type PendingRoom = { state: RoomState; lastIndex: number; byKey: Map<string, Pending> };

export class AppendBatch {
  readonly records: NewRecord[] = [];
  readonly events: ChatEvent[] = [];
  readonly #deps: AppendBatchDeps;
  readonly #pending: Pending[] = [];
  readonly #rooms = new Map<string, PendingRoom>();
  #bytes = 0;

  constructor(deps: AppendBatchDeps) {
    this.#deps = deps;
  }

  get isFull(): boolean {
    return this.#pending.length >= LIMITS.commandsPerAppend || this.#bytes >= LIMITS.appendBytes;
  }

  /** Whether it holds a command at all. */
  get isEmpty(): boolean {
    return this.#pending.length === 0;
  }

  /** Whether this event is the batch's first: where it is in the log, all of the batch is, because an append is all or none. */
  beginsWith(event: ChatEvent): boolean {
    return this.events[0]?.metadata.eventId === event.metadata.eventId;
  }

  /** Decides the command. Null: its answer waits for the log. Else the answer, which no other state could change. */
  add(waiting: WaitingCommand): Answer | null {
    const { command, stream } = waiting;
    const { state } = this.#deps;
    if (state.brokenStreams.has(stream)) return reject('unavailable', 'the log of this room cannot be read');
    const key = commandKey(command, command.commandId);
    const room = this.#rooms.get(stream);
    const twin = room?.byKey.get(key);
    if (twin) return this.#later(waiting, repeated(command, twin.waiting.command, twin.answer), twin.recordIndex);
    const remembered = state.remembered.get(stream, key);
    if (remembered) {
      if (remembered.fingerprint !== fingerprintOfCommand(command.body)) return commandIdReused;
      return rememberedAnswer(remembered, command.body.roomId, state.partition);
    }
    const before = room?.state ?? state.stateOf(stream);
    const decision = decide(command, before);
    if (isRefused(decision)) return this.#later(waiting, decision, null);
    if (decision.length > 0) return this.#make(waiting, key, before, decision);
    const unchanged = accepted(command, before.version, { changed: false });
    if (!room) unchanged.position = positionOf(state.partition, state.lastOffsetOf(stream));
    return this.#later(waiting, unchanged, room?.lastIndex ?? null);
  }

  /** The answers, now that the first record is known to be at this offset. */
  *answersAt(firstOffset: number): Iterable<{ waiting: WaitingCommand; answer: Answer }> {
    const { partition } = this.#deps.state;
    for (const { waiting, answer, recordIndex } of this.#pending) {
      if (recordIndex !== null && 'position' in answer)
        answer.position = positionOf(partition, firstOffset + recordIndex);
      yield { waiting, answer };
    }
  }

  #make(waiting: WaitingCommand, key: string, before: RoomState, made: readonly NewEvent[]): null {
    const { codec, ids } = this.#deps;
    const { command, stream } = waiting;
    let state = before;
    let id = command.body.roomId;
    for (const newEvent of made) {
      const event = withMetadata(newEvent, command, { stream, version: state.version + 1, eventId: ids.next() });
      const value = codec.encode(event);
      this.records.push({ key: stream, value });
      this.events.push(event);
      this.#bytes += value.length;
      state = evolve(state, event);
      id = idOf(event);
    }
    const answer = accepted(command, state.version, { id, changed: true });
    const pending = { waiting, answer, recordIndex: this.records.length - 1 };
    this.#pending.push(pending);
    const room = this.#rooms.get(stream);
    if (room) {
      room.state = state;
      room.lastIndex = this.records.length - 1;
      room.byKey.set(key, pending);
    } else this.#rooms.set(stream, { state, lastIndex: this.records.length - 1, byKey: new Map([[key, pending]]) });
    return null;
  }

  #later(waiting: WaitingCommand, answer: Answer, recordIndex: number | null): null {
    this.#pending.push({ waiting, answer, recordIndex });
    return null;
  }
}

const commandIdReused: Rejection = reject('invalid_request', 'commandId: was used for another command before');

function repeated(command: Command, first: Command, answer: Answer): Answer {
  return fingerprintOfCommand(command.body) === fingerprintOfCommand(first.body) ? answer : commandIdReused;
}

/** The position is filled in where it is known. */
function accepted(command: Command, version: number, { id, changed }: { id?: string; changed: boolean }): Accepted {
  const { roomId } = command.body;
  return { roomId, id: id ?? roomId, version, position: '', occurredAt: command.now, changed };
}
