// Everything that one partition's log adds up to: the rooms, the newest commands, and how far the log is read. Its own appends
// go through the same fold as what is read. It may begin with what a snapshot holds instead of with nothing.
import type { Codec } from '../../event-log/codec/codec.ts';
import { type DecodedRecord, decodeBatch } from '../../event-log/codec/decode-batch.ts';
import type { EventLog } from '../../event-log/event-log.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { type ExistingRoom, evolve, initialState, type RoomState } from '../chatroom/state.ts';
import { type RememberedBounds, RememberedCommands } from './remembered-commands.ts';

export type PartitionStateDeps = {
  log: EventLog;
  codec: Codec;
  partition: number;
  /** Told once for every stream that cannot be folded any more, and why. */
  onBroken: (stream: string, reason: string) => void;
  /** How many commands are remembered, where that is not what LIMITS says. */
  bounds?: RememberedBounds | undefined;
};

export const REMEMBERED_BOUNDS: RememberedBounds = {
  perRoom: LIMITS.rememberedCommands,
  perRoomMs: LIMITS.rememberedMs,
  perPartition: LIMITS.rememberedCommandsPerPartition,
};

/** Where the newest event lies, and which one it is. */
export type LastEvent = { offset: number; eventId: string };
export type Room = { state: ExistingRoom; lastOffset: number };

/**
 * What a snapshot holds: all that lies below `nextOffset`, which is `events` events, the last of them `lastEvent`. Rooms may be
 * ahead of it, because they were written while events came in.
 */
export type PartitionSnapshot = {
  rooms: Map<string, Room>;
  remembered: RememberedCommands;
  nextOffset: number;
  events: number;
  lastEvent: LastEvent;
};

export class PartitionState {
  readonly partition: number;
  readonly remembered: RememberedCommands;
  readonly #deps: PartitionStateDeps;
  readonly #rooms: Map<string, Room>;
  readonly #broken = new Set<string>();
  /** Below it rooms of the snapshot may be ahead of what is read. */
  #roomsEnd = 0;
  #changed: Set<string> | null = null;
  #nextOffset: number;
  #events: number;
  #lastEvent: LastEvent | null;

  constructor(deps: PartitionStateDeps, snapshot: PartitionSnapshot | null = null) {
    this.partition = deps.partition;
    this.#deps = deps;
    this.remembered = snapshot?.remembered ?? new RememberedCommands(deps.bounds ?? REMEMBERED_BOUNDS);
    this.#rooms = snapshot?.rooms ?? new Map();
    this.#nextOffset = snapshot?.nextOffset ?? 0;
    this.#events = snapshot?.events ?? 0;
    this.#lastEvent = snapshot?.lastEvent ?? null;
    for (const { lastOffset } of this.#rooms.values()) this.#roomsEnd = Math.max(this.#roomsEnd, lastOffset + 1);
  }

  /** Everything below it is folded. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** How many events are folded. */
  get events(): number {
    return this.#events;
  }

  /** The newest event that is folded; null where there is none. */
  get lastEvent(): LastEvent | null {
    return this.#lastEvent;
  }

  /** Everything below it must be read before the state is that of one moment. */
  get roomsEnd(): number {
    return this.#roomsEnd;
  }

  get brokenStreams(): ReadonlySet<string> {
    return this.#broken;
  }

  get rooms(): ReadonlyMap<string, Room> {
    return this.#rooms;
  }

  stateOf(stream: string): RoomState {
    return this.#rooms.get(stream)?.state ?? initialState;
  }

  /** The offset of the stream's last event; 0 where there is none. */
  lastOffsetOf(stream: string): number {
    return this.#rooms.get(stream)?.lastOffset ?? 0;
  }

  /** From now on takeChanged knows which rooms change. */
  keepChanged(): void {
    this.#changed ??= new Set();
    this.remembered.keepUnsaved();
  }

  /** The streams that have changed since the last call. */
  takeChanged(): ReadonlySet<string> {
    const changed = this.#changed ?? new Set();
    if (this.#changed !== null) this.#changed = new Set();
    return changed;
  }

  /**
   * Reads and folds up to `to`, or as far as it has come when the signal aborts. May be called again after a failure: it goes on
   * where it stopped. Throws what the log's read and decodeBatch throw.
   */
  async readTo(to: number, onEvent?: (event: ChatEvent) => void, signal?: AbortSignal): Promise<void> {
    if (this.#nextOffset >= to) return;
    for await (const batch of this.#deps.log.read(this.partition, this.#nextOffset, to)) {
      const decoded = await decodeBatch(this.#deps.codec, batch);
      for (const record of decoded.records) this.#foldRecord(record, onEvent);
      this.#nextOffset = decoded.nextOffset;
      if (signal?.aborted) return;
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
    if (room !== undefined && offset < this.#roomsEnd && offset <= room.lastOffset) {
      if (!this.#isContained(stream, event, offset, room)) return;
    } else if (!this.#evolve(stream, event, offset, room)) return;
    this.#events++;
    this.#lastEvent = { offset, eventId: event.metadata.eventId };
    this.remembered.note(stream, event, offset);
  }

  #evolve(stream: string, event: ChatEvent, offset: number, room: Room | undefined): boolean {
    const before = room?.state ?? initialState;
    const state = evolve(before, event);
    const { version } = event.metadata;
    if (version !== before.version + 1 || state.version !== version || state.status === 'none') {
      this.#break(stream, `version ${version} came after ${before.version}`);
      return false;
    }
    if (room) {
      room.state = state;
      room.lastOffset = offset;
    } else this.#rooms.set(stream, { state, lastOffset: offset });
    this.#changed?.add(stream);
    return true;
  }

  /** The room of the snapshot has seen the event already; then versions must say so too. */
  #isContained(stream: string, event: ChatEvent, offset: number, { state, lastOffset }: Room): boolean {
    const { version } = event.metadata;
    if (offset === lastOffset ? version === state.version : version < state.version) return true;
    this.#break(stream, `version ${version} lies below the offset of ${state.version}`);
    return false;
  }

  #break(stream: string, reason: string): void {
    if (this.#broken.has(stream)) return;
    this.#broken.add(stream);
    this.#deps.onBroken(stream, reason);
  }
}
