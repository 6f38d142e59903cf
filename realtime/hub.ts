// The rooms that sessions of this node have joined. A room is loaded when the first session wants it, once however many want it
// at the same time, and forgotten some time after the last one has gone.
import { partitionOf } from '../event-log/partition-of.ts';
import { streamOfRoom } from '../schemas/commands.ts';
import type { ChatEvent } from '../schemas/generated/events.ts';
import { isRejection, type Rejection, reject } from '../schemas/rejections.ts';
import { BOUNDS } from './bounds.ts';
import { HistoryBlocks } from './rooms/history-blocks.ts';
import type { Joined, Participant } from './rooms/participant.ts';
import { Renewals } from './rooms/renewals.ts';
import { ResumeTurns } from './rooms/resume-turns.ts';
import { Room, type RoomDeps } from './rooms/room.ts';

export type HubDeps = Omit<RoomDeps, 'onFailed' | 'onUnsaved' | 'blocks' | 'resumeTurns'> & {
  partitions: number;
  /** Rooms of this node; beyond it a room without sessions gives way, else joining another one is refused with busy. */
  maxRooms: number;
};

export class Hub {
  readonly #deps: HubDeps;
  readonly #roomByStream = new Map<string, Room>();
  readonly #blocks: HistoryBlocks;
  readonly #resumeTurns = new ResumeTurns(BOUNDS.resumePiecesPerTurn);
  readonly #renewals: Renewals;

  constructor(deps: HubDeps) {
    this.#deps = deps;
    this.#blocks = new HistoryBlocks({ ...deps, bounds: BOUNDS });
    this.#renewals = new Renewals({
      rooms: () => this.#roomByStream.values(),
      roomCount: () => this.#roomByStream.size,
      logger: deps.logger,
    });
  }

  get roomCount(): number {
    return this.#roomByStream.size;
  }

  /** Whether the events of that stream are wanted here. */
  wants(stream: string): boolean {
    return this.#roomByStream.has(stream);
  }

  accept(event: ChatEvent): void {
    this.#roomByStream.get(event.metadata.stream)?.feed.accept(event);
  }

  /** See RoomFeed.join. Further refusals: room_not_found, projection_behind, busy, unavailable. */
  async join(
    session: Participant,
    roomId: string,
    after: number | undefined,
    reset = false,
  ): Promise<Joined | Rejection> {
    const room = this.#roomByStream.get(streamOfRoom(roomId)) ?? this.#addRoom(roomId);
    return isRejection(room) ? room : room.join(session, after, reset);
  }

  leave(session: Participant, roomId: string): void {
    this.#roomByStream.get(streamOfRoom(roomId))?.leave(session);
  }

  hasJoined(session: Participant, roomId: string): boolean {
    return this.#roomByStream.get(streamOfRoom(roomId))?.feed.hasJoined(session) ?? false;
  }

  /** See RoomFeed.heartbeat. */
  heartbeat(session: Participant, roomId: string): void {
    this.#roomByStream.get(streamOfRoom(roomId))?.feed.heartbeat(session);
  }

  typing(session: Participant, roomId: string, isTyping: boolean): Rejection | null {
    const room = this.#roomByStream.get(streamOfRoom(roomId));
    return room ? room.typing(session, isTyping) : reject('not_a_member', 'join the room first');
  }

  /** Once a second: expiry of typing, presence, kept history, and rooms that nobody is in any more. */
  tick(): void {
    const now = this.#deps.now();
    const deadNodes = this.#deps.signs.tick();
    this.#blocks.tick();
    for (const room of this.#roomByStream.values()) {
      room.tick(deadNodes);
      if (room.isAbandoned(now)) this.#forget(room);
    }
    this.#renewals.tick();
  }

  /** Puts back into the shared sets who is present here; rejects when they cannot be reached. */
  restorePresence(): Promise<void> {
    return this.#renewals.restore();
  }

  /** Has all rooms compare who is present with the shared sets soon. */
  lookAgain(): void {
    this.#renewals.hurry();
  }

  stop(): void {
    for (const room of [...this.#roomByStream.values()]) this.#forget(room);
  }

  #addRoom(roomId: string): Room | Rejection {
    const stream = streamOfRoom(roomId);
    if (this.#roomByStream.size >= this.#deps.maxRooms && !this.#makeWay()) {
      return reject('busy', 'this node follows as many rooms as it may');
    }
    const room = new Room(
      { roomId, partition: partitionOf(stream, this.#deps.partitions) },
      {
        ...this.#deps,
        blocks: this.#blocks,
        resumeTurns: this.#resumeTurns,
        onFailed: (failed) => this.#forget(failed),
        onUnsaved: () => this.#renewals.hurry(),
      },
    );
    // Before it holds its partition and loads: from now on the tail's events of this room queue in it.
    this.#roomByStream.set(stream, room);
    void this.#forgetIfRefused(room);
    return room;
  }

  async #forgetIfRefused(room: Room): Promise<void> {
    if ((await room.opened()) !== null) this.#forget(room);
  }

  #makeWay(): boolean {
    for (const room of this.#roomByStream.values()) {
      if (!room.isEmpty) continue;
      this.#forget(room);
      return true;
    }
    return false;
  }

  #forget(room: Room): void {
    const stream = streamOfRoom(room.feed.roomId);
    if (this.#roomByStream.get(stream) === room) this.#roomByStream.delete(stream);
    room.close();
  }
}
