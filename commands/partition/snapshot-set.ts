/* SNAPSHOT SETS. An owner of a partition writes its snapshots into a set of its own, and never into another one. All keys of a set
 * begin with its id, <n>-<uuid>, where n is one more than the highest that was there when its owner read the store. A set holds a
 * value for each room, the remembered commands, and a marker that says up to which offset all of that reaches. Once its marker is
 * kept, its owner deletes the keys of all lower sets, and never those of higher ones.
 *
 * THE RULE for who reads: the set that counts is the highest one that has a marker, and nothing but its keys counts; then comes the
 * log from the marker's offset. Where that marker is of another state version, nothing counts but the log.
 *
 * Why the set that counts is always whole:
 * - It was complete when its first marker was kept, because the marker is written after everything that it speaks of, and later
 *   rounds only replace a room by a newer state of it. A room may be ahead of the marker; then the events that it has seen already
 *   are passed over by their offsets.
 * - Two kinds of writers touch its keys: its owner, and owners of higher sets who have a marker. In the second case it is not the
 *   highest one any more. So a zombie, or a second owner at the same time, can damage lower sets only.
 * - A lower set may be damaged and still have a marker (its owner does not know that its rooms were deleted, and writes on). That
 *   is why not even a marker of another state version may be passed over in favour of a lower one.
 * - A write that failed may arrive later, after newer ones, and bring back an old value. So after a failure its owner begins a new
 *   set and never writes to those keys again; what arrives late belongs to a lower set.
 *
 * Should it be wrong all the same (somebody deleted rows, a bug), it shows: versions of a room are dense, so the log does not go on
 * from a room of another moment, and all versions together are the number of events that the marker and the log behind it count. Then
 * the log is read from its beginning (load-partition.ts). docs/decisions/0008-snapshots.md has what else was considered.
 */
import assert from 'node:assert/strict';
import type { Map as ImmutableMap } from 'immutable';
import type { SnapshotEntry } from '../../event-log/snapshot-store.ts';
import type { LastEvent, PartitionState, Room } from './partition-state.ts';
import type { NoteRun } from './remembered-commands.ts';
import { encodeMarker, encodePieces, encodeRoom, encodeSegments, needsPieces, type Pieces } from './snapshot-codec.ts';
import { numberOfSet, parseKey, toKey } from './snapshot-keys.ts';

/** What a round has to write, as of one moment. Rooms are written as they are when their turn comes. */
type Captured = {
  offset: number;
  events: number;
  lastEvent: LastEvent;
  streams: readonly string[];
  commands: { isRest: boolean; runs: readonly NoteRun[] };
};

/** A room whose members are in pieces: which ones, and of which members, so that they are only written when those change. */
type RoomInPieces = Pieces & { members: ImmutableMap<string, string>; invited: ImmutableMap<string, string> };

/** Remembered commands are all written anew when the segments hold so many times as many. */
const MAX_SEGMENTS_RATIO = 1.5;

export class SnapshotSet {
  readonly id: string;
  readonly #state: PartitionState;
  readonly #inPieces = new Map<string, RoomInPieces>();
  #isBegun = false;
  /** The first segment that counts, the next one to be written, and how many commands those between them hold. */
  #firstSegment = 0;
  #nextSegment = 0;
  #commands = 0;
  readonly #obsolete: SnapshotEntry[] = [];

  constructor(id: string, state: PartitionState) {
    this.id = id;
    this.#state = state;
  }

  /**
   * Everything that a round has to write, in its order, the marker at the end. The moment is that of the call; then entries are made
   * as they are asked for. A set of which not all was written must be thrown away.
   */
  round(): Iterable<SnapshotEntry> {
    return this.#entriesOf(this.#capture());
  }

  /** Some of what is to be deleted when the marker of the last round is kept. */
  someObsolete(max: number): readonly SnapshotEntry[] {
    return this.#obsolete.slice(0, max);
  }

  /** So many of them are deleted. */
  forgetObsolete(count: number): void {
    this.#obsolete.splice(0, count);
  }

  addObsolete(entries: readonly SnapshotEntry[]): void {
    for (const entry of entries) this.#obsolete.push(entry);
  }

  #capture(): Captured {
    const { nextOffset: offset, events, lastEvent, remembered } = this.#state;
    assert.ok(lastEvent !== null, 'there is nothing to be written yet');
    const changed = this.#state.takeChanged();
    const streams = this.#isBegun ? [...changed] : [...this.#state.rooms.keys()];
    const unsaved = remembered.takeUnsaved();
    const written = this.#commands + (unsaved?.count ?? 0);
    const isRest = !this.#isBegun || unsaved === null || written > MAX_SEGMENTS_RATIO * remembered.count;
    this.#isBegun = true;
    this.#commands = isRest ? remembered.count : written;
    const commands = isRest ? { isRest, runs: remembered.all() } : { isRest, runs: unsaved.runs };
    return { offset, events, lastEvent, streams, commands };
  }

  *#entriesOf({ offset, events, lastEvent, streams, commands }: Captured): Generator<SnapshotEntry> {
    for (const stream of streams) {
      const room = this.#state.rooms.get(stream);
      if (room !== undefined) yield* this.#entriesOfRoom(stream, room);
    }
    const begin = this.#nextSegment;
    for (const value of encodeSegments(commands.isRest, commands.runs)) {
      yield { key: toKey({ set: this.id, kind: 'segment', number: this.#nextSegment++ }), value };
    }
    if (commands.isRest) this.#dropSegmentsBelow(begin);
    const segments = { first: this.#firstSegment, end: this.#nextSegment };
    const value = encodeMarker({ offset, events, lastEvent, segments });
    yield { key: toKey({ set: this.id, kind: 'marker' }), value };
  }

  #dropSegmentsBelow(begin: number): void {
    for (; this.#firstSegment < begin; this.#firstSegment++) {
      this.#obsolete.push({ key: toKey({ set: this.id, kind: 'segment', number: this.#firstSegment }), value: null });
    }
  }

  /** Pieces are there before the room's value names them, and the ones before them until it does not name them any more. */
  *#entriesOfRoom(stream: string, { state, lastOffset }: Room): Generator<SnapshotEntry> {
    const { members, invited, version } = state;
    const before = this.#inPieces.get(stream) ?? null;
    const key = toKey({ set: this.id, kind: 'room', stream });
    // The room goes on while its pieces are written, so what is written is this state of it.
    const room = { state, lastOffset };
    if (before !== null && before.members === members && before.invited === invited) {
      yield { key, value: encodeRoom(room, before) };
      return;
    }
    let pieces: Pieces | null = null;
    if (needsPieces(state)) {
      let count = 0;
      for (const value of encodePieces(state)) {
        yield { key: toKey({ set: this.id, kind: 'piece', stream, version, index: count++ }), value };
      }
      pieces = { version, count };
      this.#inPieces.set(stream, { ...pieces, members, invited });
    } else this.#inPieces.delete(stream);
    yield { key, value: encodeRoom(room, pieces) };
    for (let index = 0; index < (before?.count ?? 0); index++) {
      const piece = { set: this.id, kind: 'piece', stream, version: before?.version ?? 0, index } as const;
      yield { key: toKey(piece), value: null };
    }
  }
}

/**
 * Looks at what else the store holds: `lower` are the keys of lower sets, which are to be deleted; `hasHigher` whether there is a
 * higher set with a marker, so that this one does not count any more; `highestSet` the highest number. Who has no set yet has only
 * higher ones.
 */
export async function lookAround(
  entries: AsyncIterable<readonly SnapshotEntry[]>,
  ownSet: string | null,
): Promise<{ lower: SnapshotEntry[]; hasHigher: boolean; highestSet: number }> {
  const lower = new Set<string>();
  let hasHigher = false;
  let highestSet = ownSet === null ? 0 : numberOfSet(ownSet);
  for await (const piece of entries) {
    for (const { key: text, value } of piece) {
      const key = parseKey(text);
      if (key === null || key.set === ownSet) continue;
      highestSet = Math.max(highestSet, numberOfSet(key.set));
      if (ownSet === null || key.set > ownSet) hasHigher ||= key.kind === 'marker' && value !== null;
      else if (value === null) lower.delete(text);
      else lower.add(text);
    }
  }
  return { lower: [...lower].map((key) => ({ key, value: null })), hasHigher, highestSet };
}
