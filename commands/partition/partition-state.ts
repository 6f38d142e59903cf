// Everything that one partition's log adds up to: the rooms, the newest commands, and how far the log is read. Its own appends
// go through the same fold as what is read.
import type { Codec } from '../../event-log/codec/codec.ts';
import { type DecodedRecord, decodeBatch } from '../../event-log/codec/decode-batch.ts';
import type { EventLog } from '../../event-log/event-log.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { evolve, initialState, type RoomState } from '../chatroom/state.ts';
import { RememberedCommands } from './remembered-commands.ts';

export type PartitionStateDeps = {
  log: EventLog;
  codec: Codec;
  partition: number;
  /** Told once for every stream that cannot be folded any more, and why. */
  onBroken: (stream: string, reason: string) => void;
};

type Room = { state: RoomState; lastOffset: number };

export class PartitionState {
  readonly partition: number;
  readonly remembered = new RememberedCommands({
    perRoom: LIMITS.rememberedCommands,
    perPartition: LIMITS.rememberedCommandsPerPartition,
  });
  readonly #deps: PartitionStateDeps;
  readonly #rooms = new Map<string, Room>();
  readonly #broken = new Set<string>();
  #nextOffset = 0;

  constructor(deps: PartitionStateDeps) {
    this.partition = deps.partition;
    this.#deps = deps;
  }

  /** Everything below it is folded. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  get brokenStreams(): ReadonlySet<string> {
    return this.#broken;
  }

  stateOf(stream: string): RoomState {
    return this.#rooms.get(stream)?.state ?? initialState;
  }

  /** The offset of the stream's last event; 0 where there is none. */
  lastOffsetOf(stream: string): number {
    return this.#rooms.get(stream)?.lastOffset ?? 0;
  }

  /**
   * Reads and folds up to `to`. May be called again after a failure: it goes on where it stopped. Throws what the log's read
   * and decodeBatch throw.
   */
  async readTo(to: number, onEvent?: (event: ChatEvent) => void): Promise<void> {
    if (this.#nextOffset >= to) return;
    for await (const batch of this.#deps.log.read(this.partition, this.#nextOffset, to)) {
      const decoded = await decodeBatch(this.#deps.codec, batch);
      for (const record of decoded.records) this.#foldRecord(record, onEvent);
      this.#nextOffset = decoded.nextOffset;
    }
  }

  /** Folds events that were just appended from `nextOffset` on. */
  foldAppended(events: readonly ChatEvent[]): void {
    for (const event of events) this.#fold(event.metadata.stream, event, this.#nextOffset++);
  }

  /** Steps over the barrier that everything was read up to. */
  skipTo(offset: number): void {
    this.#nextOffset = Math.max(this.#nextOffset, offset);
  }

  /** What is no event of ours, or does not follow on the stream's last one, makes everything after it a guess. */
  #foldRecord(record: DecodedRecord, onEvent: ((event: ChatEvent) => void) | undefined): void {
    if ('undecodable' in record) this.#break(record.key, record.undecodable.message);
    else if ('unknownType' in record)
      this.#break(record.key, `there is no event type ${record.unknownType} in this build`);
    else {
      onEvent?.(record.event);
      this.#fold(record.key, record.event, record.offset);
    }
  }

  #fold(stream: string, event: ChatEvent, offset: number): void {
    if (this.#broken.has(stream)) return;
    const room = this.#rooms.get(stream);
    const before = room?.state ?? initialState;
    const state = evolve(before, event);
    if (event.metadata.version !== before.version + 1 || state.version !== event.metadata.version) {
      this.#break(stream, `version ${event.metadata.version} came after ${before.version}`);
      return;
    }
    if (room) {
      room.state = state;
      room.lastOffset = offset;
    } else this.#rooms.set(stream, { state, lastOffset: offset });
    this.remembered.note(stream, event, offset);
  }

  #break(stream: string, reason: string): void {
    if (this.#broken.has(stream)) return;
    this.#broken.add(stream);
    this.#deps.onBroken(stream, reason);
  }
}
