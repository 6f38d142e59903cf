// Reads a room until the snapshot joins up with the log's tail: the snapshot has everything that the tail had handed on when the
// room began to listen, and the tail's later events have waited. Reading again is bounded by time.
import { type Rejection, reject } from '../../schemas/rejections.ts';
import { BOUNDS } from '../bounds.ts';
import type { RoomSnapshot, RoomSource } from './room-source.ts';

/** The tail as far as a room needs it (log-tail.ts). */
export type RoomTail = {
  hold(partition: number): Promise<void>;
  release(partition: number): void;
  recordsSeen(partition: number): number;
  catchUp(partition: number): Promise<number>;
  upToDateAt(partition: number): number;
};

export type LoadDeps = {
  source: RoomSource;
  tail: Pick<RoomTail, 'recordsSeen' | 'catchUp'>;
  now: () => number;
  pause: (ms: number) => Promise<void>;
};

/**
 * The partition must be held. A snapshot that the events after `floor` go on from, where `joinsUp` says that none is missing. Else the refusal:
 * room_not_found once history has everything there was at the time of the call, projection_behind when it does not get there.
 */
export async function loadRoom(
  room: { roomId: string; partition: number },
  joinsUp: (snapshot: RoomSnapshot) => boolean,
  deps: LoadDeps,
): Promise<RoomSnapshot | Rejection> {
  const { source, tail } = deps;
  const deadline = deps.now() + BOUNDS.snapshotMs;
  const floor = tail.recordsSeen(room.partition);
  let emptyBelow: number | undefined;
  do {
    // Read before the snapshot: a room that the later snapshot does not show is not in the log below this.
    const checkpoint = emptyBelow === undefined ? 0 : ((await source.checkpoints()).get(room.partition) ?? 0);
    const snapshot = await source.roomSnapshot(room.roomId);
    if (snapshot !== null) {
      if (snapshot.checkpoint >= floor && joinsUp(snapshot)) return snapshot;
    } else if (emptyBelow === undefined) {
      // The room may have been created a moment ago: what is in the log now decides.
      emptyBelow = await tail.catchUp(room.partition);
      continue;
    } else if (checkpoint >= emptyBelow) {
      return reject('room_not_found');
    }
    await deps.pause(BOUNDS.lookAgainMs);
  } while (deps.now() < deadline);
  return reject('projection_behind');
}
