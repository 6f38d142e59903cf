// The write side in memory for tests of what stands on it: the real decisions, appended to a log one after the other.
import { randomUUID } from 'node:crypto';
import { decide, isRefused } from '../../commands/chatroom/decide.ts';
import { withMetadata } from '../../commands/chatroom/new-event.ts';
import { evolve, initialState, type RoomState } from '../../commands/chatroom/state.ts';
import type { CommandPort } from '../../commands/client/command-port.ts';
import type { Codec } from '../../event-log/codec/codec.ts';
import type { EventLog } from '../../event-log/event-log.ts';
import { partitionOf } from '../../event-log/partition-of.ts';
import { type Accepted, type Command, positionOf, streamOfRoom } from '../../schemas/commands.ts';
import { type Rejection, reject } from '../../schemas/rejections.ts';

/** The only writer of that log. Commands of one partition that wait for its append leave together. */
export function openMemoryCommands(log: EventLog, codec: Codec): CommandPort {
  const partitions = new Map<number, PartitionWriter>();
  return {
    execute(command) {
      const partition = partitionOf(streamOfRoom(command.body.roomId), log.partitions);
      let writer = partitions.get(partition);
      if (!writer) {
        writer = new PartitionWriter(log, codec, partition);
        partitions.set(partition, writer);
      }
      return writer.execute(command);
    },
  };
}

type Waiting = { command: Command; answer: (outcome: Accepted | Rejection) => void };

class PartitionWriter {
  readonly #log: EventLog;
  readonly #codec: Codec;
  readonly #partition: number;
  readonly #stateByRoom = new Map<string, RoomState>();
  #waiting: Waiting[] = [];
  #isWriting = false;
  #offset: number | undefined;

  constructor(log: EventLog, codec: Codec, partition: number) {
    this.#log = log;
    this.#codec = codec;
    this.#partition = partition;
  }

  execute(command: Command): Promise<Accepted | Rejection> {
    return new Promise((resolve) => {
      this.#waiting.push({ command, answer: resolve });
      if (!this.#isWriting) void this.#write();
    });
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    this.#offset ??= await this.#log.head(this.#partition);
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      await this.#append(batch, this.#offset);
    }
    this.#isWriting = false;
  }

  async #append(batch: Waiting[], offset: number): Promise<void> {
    const records: { key: string; value: Buffer }[] = [];
    const answers = batch.map(({ command, answer }) => {
      const outcome = this.#decide(command, offset, records);
      return () => answer(outcome);
    });
    if (records.length > 0) {
      const result = await this.#log.append(this.#partition, offset, records);
      if (result.kind === 'conflict') throw new Error('somebody else writes to the log of this test');
      this.#offset = offset + records.length;
    }
    for (const answer of answers) answer();
  }

  #decide(command: Command, offset: number, records: { key: string; value: Buffer }[]): Accepted | Rejection {
    const { roomId } = command.body;
    const stream = streamOfRoom(roomId);
    let state = this.#stateByRoom.get(roomId) ?? initialState;
    const decision = decide(command, state);
    if (isRefused(decision)) return decision;
    for (const event of decision) {
      const whole = withMetadata(event, command, { stream, version: state.version + 1, eventId: randomUUID() });
      records.push({ key: stream, value: this.#codec.encode(whole) });
      state = evolve(state, whole);
    }
    this.#stateByRoom.set(roomId, state);
    if (state.status === 'none') return reject('room_not_found');
    return {
      roomId,
      id: command.body.type === 'SendMessage' ? command.body.messageId : roomId,
      version: state.version,
      position: positionOf(this.#partition, offset + records.length - 1),
      occurredAt: command.now,
      changed: decision.length > 0,
    };
  }
}
