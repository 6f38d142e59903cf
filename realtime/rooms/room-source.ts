// What the socket node asks the read side: the queries of read-api/queries/ as far as they are needed here.
import type { ChatEvent } from '../../schemas/generated/events.ts';
import type { MemberView, MessageView, RoomView } from '../../schemas/wire.ts';

/** One consistent look at a room: all of it belongs to `version`, and all of the log's partition below `checkpoint` is in it. */
export type RoomSnapshot = {
  room: RoomView;
  members: readonly MemberView[];
  /** Newest messages, ascending. */
  messages: readonly MessageView[];
  version: number;
  /** Of the room's partition: the next offset to be projected. */
  checkpoint: number;
};

/** Something that happened in a room, as a message or as any other event. */
export type RoomChange = { version: number; message: MessageView } | { version: number; event: ChatEvent };

export type RoomSource = {
  /** Null where there is no such room as of now. */
  roomSnapshot(roomId: string): Promise<RoomSnapshot | null>;
  /** The room's events with a version above `after`, ascending and dense, at most `limit`. */
  eventsAfter(roomId: string, after: number, limit: number): Promise<readonly RoomChange[]>;
  /** By partition: the next offset to be projected into history. A partition that is absent stands at 0. */
  checkpoints(): Promise<ReadonlyMap<number, number>>;
};
