// Finds the snapshot set that counts in all that the store holds of a partition, and makes a state of it. Which one that is, and why
// it is complete, stands in snapshot-set.ts.
import { Map as ImmutableMap } from 'immutable';
import type { SnapshotEntry } from '../../event-log/snapshot-store.ts';
import type { Time } from '../../platform/time.ts';
import { type PartitionSnapshot, REMEMBERED_BOUNDS, type Room } from './partition-state.ts';
import { type RememberedBounds, RememberedCommands } from './remembered-commands.ts';
import {
  decodeMarker,
  decodePiece,
  decodeRoom,
  decodeSegment,
  type Marker,
  orderOf,
  type Pieces,
  STATE_VERSION,
  stateVersionOf,
} from './snapshot-codec.ts';
import { numberOfSet, parseKey, type SnapshotKey, toKey } from './snapshot-keys.ts';

/**
 * `highestSet` is the number of the highest set that there is anything of, whatever it is worth; 0 where there is nothing. The
 * snapshot is that of the set that counts: null where there is none, or none of our state version.
 */
export type FoundSnapshot = { highestSet: number; snapshot: PartitionSnapshot | SnapshotUnusableError | null };

/** What the store holds does not make a state: there is the log to make it of. The message says why. */
export class SnapshotUnusableError extends Error {
  override readonly name = 'SnapshotUnusableError';
  readonly code = 'snapshot_unusable';
  readonly retryable = false;
}

/** Milliseconds of decoding after which others get their turn. */
const SLICE_MS = 10;

/** Reads all entries of the partition. Throws SnapshotStoreError where the store cannot be read. */
export async function readSnapshot(
  entries: AsyncIterable<readonly SnapshotEntry[]>,
  time: Time,
  bounds: RememberedBounds = REMEMBERED_BOUNDS,
): Promise<FoundSnapshot> {
  const found = new FoundSets();
  for await (const piece of entries) for (const entry of piece) found.add(entry);
  const { highestSet } = found;
  const set = found.setThatCounts();
  return { highestSet, snapshot: set === null ? null : await restore(set, time, bounds) };
}

type FoundSet = {
  id: string;
  marker: Buffer | null;
  roomByStream: Map<string, Buffer>;
  /** By key. */
  pieces: Map<string, Buffer>;
  segments: Map<number, Buffer>;
};

class FoundSets {
  readonly #sets = new Map<string, FoundSet>();
  highestSet = 0;

  add({ key: text, value }: SnapshotEntry): void {
    const key = parseKey(text);
    if (key === null) return;
    this.highestSet = Math.max(this.highestSet, numberOfSet(key.set));
    const set = this.#sets.get(key.set) ?? newSet(key.set);
    this.#sets.set(key.set, set);
    put(set, key, text, value);
  }

  /** The highest one that was ever complete, if it is one of ours. */
  setThatCounts(): FoundSet | null {
    let highest: FoundSet | null = null;
    for (const set of this.#sets.values()) {
      if (set.marker !== null && (highest === null || set.id > highest.id)) highest = set;
    }
    return highest?.marker && stateVersionOf(highest.marker) === STATE_VERSION ? highest : null;
  }
}

function newSet(id: string): FoundSet {
  return { id, marker: null, roomByStream: new Map(), pieces: new Map(), segments: new Map() };
}

/** Of a room and of the marker the newest is kept, in whatever order they come; the other keys never get another value. */
function put(set: FoundSet, key: SnapshotKey, text: string, value: Buffer | null): void {
  switch (key.kind) {
    case 'marker':
      if (value === null || set.marker === null || orderOf(value) >= orderOf(set.marker)) set.marker = value;
      return;
    case 'room': {
      const before = set.roomByStream.get(key.stream);
      if (value === null) set.roomByStream.delete(key.stream);
      else if (before === undefined || orderOf(value) >= orderOf(before)) set.roomByStream.set(key.stream, value);
      return;
    }
    case 'piece':
      if (value === null) set.pieces.delete(text);
      else set.pieces.set(text, value);
      return;
    case 'segment':
      if (value === null) set.segments.delete(key.number);
      else set.segments.set(key.number, value);
  }
}

async function restore(
  set: FoundSet,
  time: Time,
  bounds: RememberedBounds,
): Promise<PartitionSnapshot | SnapshotUnusableError> {
  const turns = new Turns(time);
  try {
    const marker = decodeMarker(set.marker ?? Buffer.alloc(0));
    const rooms = new Map<string, Room>();
    for (const [stream, value] of set.roomByStream) {
      await turns.give();
      const { room, pieces } = decodeRoom(value);
      rooms.set(stream, pieces.count === 0 ? room : await withPieces(set, stream, room, pieces, turns));
    }
    const remembered = await restoreCommands(set, marker, turns, bounds);
    const { offset: nextOffset, events, lastEvent } = marker;
    return { rooms, remembered, nextOffset, events, lastEvent };
  } catch (error) {
    if (error instanceof SnapshotUnusableError) return error;
    return new SnapshotUnusableError(`set ${set.id} holds what is no snapshot`, { cause: error });
  }
}

async function withPieces(set: FoundSet, stream: string, room: Room, pieces: Pieces, turns: Turns): Promise<Room> {
  const { version, count } = pieces;
  const members = ImmutableMap<string, string>().asMutable();
  const invited = ImmutableMap<string, string>().asMutable();
  for (let index = 0; index < count; index++) {
    await turns.give();
    const value = set.pieces.get(toKey({ set: set.id, kind: 'piece', stream, version, index }));
    if (value === undefined) throw new SnapshotUnusableError(`set ${set.id} lacks piece ${index} of ${stream}`);
    const piece = decodePiece(value);
    for (const { userId, username } of piece.members) members.set(userId, username);
    for (const { userId, invitedBy } of piece.invited) invited.set(userId, invitedBy);
  }
  return { ...room, state: { ...room.state, members: members.asImmutable(), invited: invited.asImmutable() } };
}

async function restoreCommands(set: FoundSet, { segments }: Marker, turns: Turns, bounds: RememberedBounds) {
  const remembered = new RememberedCommands(bounds);
  for (let number = segments.first; number < segments.end; number++) {
    const value = set.segments.get(number);
    if (value === undefined) throw new SnapshotUnusableError(`set ${set.id} lacks segment ${number}`);
    const { isRest, runs } = decodeSegment(value);
    await turns.give();
    for (const { stream, notes } of runs) {
      for (const note of notes) {
        if (isRest) remembered.restore(stream, note);
        else remembered.add(stream, note);
      }
    }
    await turns.give();
  }
  return remembered;
}

/** Lets others have their turn now and then: a partition may take a second to decode, and the process has other ones. */
class Turns {
  readonly #time: Time;
  #began: number;

  constructor(time: Time) {
    this.#time = time;
    this.#began = time.now();
  }

  async give(): Promise<void> {
    if (this.#time.now() - this.#began < SLICE_MS) return;
    await this.#time.nextTurn();
    this.#began = this.#time.now();
  }
}
