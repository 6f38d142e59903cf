// What a partition's state looks like in a snapshot: one value for each room, the members of large rooms in pieces beside it,
// segments of remembered commands, and the marker that says how far all of them reach.
//
// Every value begins with STATE_VERSION and a number that tells which of two values of one key is the newer one (a room's version, the
// marker's offset); the rest is Avro. These are no events: nobody but an owner of the same STATE_VERSION ever reads them.
import avro from 'avsc';
import { Map as ImmutableMap } from 'immutable';
import { MAX_SNAPSHOT_VALUE_BYTES } from '../../event-log/snapshot-store.ts';
import type { ExistingRoom } from '../chatroom/state.ts';
import { type Note, toMadeId } from './command-columns.ts';
import type { LastEvent, Room } from './partition-state.ts';
import type { NoteRun } from './remembered-commands.ts';

/**
 * To be raised with every change of what is in a snapshot, of what the fold makes of events, and of how it is encoded. A snapshot
 * of another version is not read: the state is folded from the log. tests/golden/snapshot-v<version>.json holds the bytes.
 */
export const STATE_VERSION = 2;

/** How far a set reaches. */
export type Marker = {
  /** Everything below it is contained. */
  offset: number;
  /** How many events that is: the sum of the versions of all rooms, which shows when one is missing or of another moment. */
  events: number;
  /** The last of them: where another one lies in the log, it is not the log that this was made of. */
  lastEvent: LastEvent;
  /** The segments [first, end) hold the remembered commands. */
  segments: { first: number; end: number };
};

/** Members and invited users of a large room, which are not in the room's own value. */
export type Pieces = { version: number; count: number };
export type Piece = { members: readonly Member[]; invited: readonly Invited[] };
export type Segment = {
  /** Whether the commands are what was left after forgetting, or came in this order and some are to be forgotten. */
  isRest: boolean;
  runs: readonly NoteRun[];
};
type Member = { userId: string; username: string };
type Invited = { userId: string; invitedBy: string };

const FRAME_BYTES = 10;
/** Bytes of a value that is made of many parts; the worst case of UTF-8 is reckoned with. */
const FULL_BYTES = MAX_SNAPSHOT_VALUE_BYTES / 2;
/** The same for commands, some three hundred of them: a segment is made in one go, within a millisecond or two of the decisions' time. */
const SEGMENT_BYTES = 64 * 1024;

const memberType = {
  name: 'Member',
  type: 'record',
  fields: [
    { name: 'userId', type: 'string' },
    { name: 'username', type: 'string' },
  ],
} as const;
const members = { type: 'array', items: memberType } as const;
const invitedType = {
  name: 'Invited',
  type: 'record',
  fields: [
    { name: 'userId', type: 'string' },
    { name: 'invitedBy', type: 'string' },
  ],
} as const;
const invited = { type: 'array', items: invitedType } as const;

const roomType = typeOf('Room', [
  { name: 'lastOffset', type: 'long' },
  { name: 'isArchived', type: 'boolean' },
  { name: 'roomId', type: 'string' },
  { name: 'name', type: 'string' },
  { name: 'description', type: 'string' },
  { name: 'isPrivate', type: 'boolean' },
  { name: 'ownerId', type: 'string' },
  { name: 'members', type: members },
  { name: 'invited', type: invited },
  { name: 'piecesVersion', type: 'long' },
  { name: 'pieces', type: 'int' },
]);

const pieceType = typeOf('Piece', [
  { name: 'members', type: members },
  { name: 'invited', type: invited },
]);

const longs = { type: 'array', items: 'long' } as const;

/** In columns, like what they are read into: a record and a piece of bytes for each command would take twice the time to read. */
const runType = {
  name: 'Run',
  type: 'record',
  fields: [
    { name: 'stream', type: 'string' },
    { name: 'keys', type: { type: 'array', items: 'string' } },
    { name: 'fingerprints', type: longs },
    { name: 'versions', type: longs },
    { name: 'offsets', type: longs },
    { name: 'times', type: longs },
    // One after the other. Where a command's id is no UUID it stands among the others; an empty one is the room itself.
    { name: 'uuids', type: 'bytes' },
    {
      name: 'others',
      type: {
        type: 'array',
        items: {
          name: 'Other',
          type: 'record',
          fields: [
            { name: 'index', type: 'int' },
            { name: 'id', type: 'string' },
          ],
        },
      },
    },
  ],
} as const;

const segmentType = typeOf('Segment', [
  { name: 'isRest', type: 'boolean' },
  { name: 'runs', type: { type: 'array', items: runType } },
]);

const markerType = typeOf('Marker', [
  { name: 'events', type: 'long' },
  { name: 'lastOffset', type: 'long' },
  { name: 'lastEventId', type: 'string' },
  { name: 'firstSegment', type: 'long' },
  { name: 'endSegment', type: 'long' },
]);

export function encodeMarker({ offset, events, lastEvent, segments }: Marker): Buffer {
  return framed(markerType, offset, {
    events,
    lastOffset: lastEvent.offset,
    lastEventId: lastEvent.eventId,
    firstSegment: segments.first,
    endSegment: segments.end,
  });
}

export function decodeMarker(value: Buffer): Marker {
  const found = unframed<{
    events: number;
    lastOffset: number;
    lastEventId: string;
    firstSegment: number;
    endSegment: number;
  }>(markerType, value);
  return {
    offset: orderOf(value),
    events: found.events,
    lastEvent: { offset: found.lastOffset, eventId: found.lastEventId },
    segments: { first: found.firstSegment, end: found.endSegment },
  };
}

/** `pieces` says where the members are, when they are not in the value itself. */
export function encodeRoom({ state, lastOffset }: Room, pieces: Pieces | null): Buffer {
  const { roomId, name, description, isPrivate, ownerId } = state;
  const piece = pieces === null ? pieceOf(state) : { members: [], invited: [] };
  return framed(roomType, state.version, {
    lastOffset,
    isArchived: state.status === 'archived',
    roomId,
    name,
    description,
    isPrivate,
    ownerId,
    ...piece,
    piecesVersion: pieces?.version ?? 0,
    pieces: pieces?.count ?? 0,
  });
}

/** The room but for its pieces, which `withPieces` adds. */
export function decodeRoom(value: Buffer): { room: Room; pieces: Pieces } {
  const found = unframed<
    Omit<ExistingRoom, 'status' | 'members' | 'invited'> &
      Piece & { lastOffset: number; isArchived: boolean; piecesVersion: number; pieces: number }
  >(roomType, value);
  const { roomId, name, description, isPrivate, ownerId } = found;
  const state: ExistingRoom = {
    status: found.isArchived ? 'archived' : 'open',
    version: orderOf(value),
    roomId,
    name,
    description,
    isPrivate,
    ownerId,
    members: ImmutableMap(found.members.map(({ userId, username }) => [userId, username])),
    invited: ImmutableMap(found.invited.map(({ userId, invitedBy }) => [userId, invitedBy])),
  };
  const pieces = { version: found.piecesVersion, count: found.pieces };
  return { room: { state, lastOffset: found.lastOffset }, pieces };
}

/** Whether the members have to stand in pieces beside the room's value. */
export function needsPieces({ members: all, invited: guests }: ExistingRoom): boolean {
  let bytes = 0;
  for (const [userId, username] of all) {
    bytes += maxBytes(userId, username);
    if (bytes > FULL_BYTES) return true;
  }
  for (const [userId, invitedBy] of guests) {
    bytes += maxBytes(userId, invitedBy);
    if (bytes > FULL_BYTES) return true;
  }
  return false;
}

export function* encodePieces({ members: all, invited: guests }: ExistingRoom): Generator<Buffer> {
  let piece: { members: Member[]; invited: Invited[] } = { members: [], invited: [] };
  let bytes = 0;
  const take = () => {
    const value = framed(pieceType, 0, piece);
    piece = { members: [], invited: [] };
    bytes = 0;
    return value;
  };
  for (const [userId, username] of all) {
    piece.members.push({ userId, username });
    bytes += maxBytes(userId, username);
    if (bytes > FULL_BYTES) yield take();
  }
  for (const [userId, invitedBy] of guests) {
    piece.invited.push({ userId, invitedBy });
    bytes += maxBytes(userId, invitedBy);
    if (bytes > FULL_BYTES) yield take();
  }
  if (bytes > 0) yield take();
}

export function decodePiece(value: Buffer): Piece {
  return unframed<Piece>(pieceType, value);
}

/** The commands in segments of bounded size, in their order. */
export function* encodeSegments(isRest: boolean, runs: Iterable<NoteRun>): Generator<Buffer> {
  let written: RunWriter[] = [];
  let bytes = 0;
  const take = () => {
    const value = framed(segmentType, 0, { isRest, runs: written.map((run) => run.encoded()) });
    written = [];
    bytes = 0;
    return value;
  };
  for (const { stream, notes } of runs) {
    let run: RunWriter | null = null;
    for (const note of notes) {
      if (run === null) {
        run = new RunWriter(stream);
        written.push(run);
        bytes += maxBytes(stream) + NUMBERS_BYTES;
      }
      run.add(note);
      bytes += maxBytes(note.key) + NUMBERS_BYTES + (typeof note.id === 'string' ? maxBytes(note.id) : 0);
      if (bytes <= SEGMENT_BYTES) continue;
      yield take();
      run = null;
    }
  }
  if (bytes > 0) yield take();
}

export function decodeSegment(value: Buffer): Segment {
  const { isRest, runs } = unframed<{ isRest: boolean; runs: EncodedRun[] }>(segmentType, value);
  return { isRest, runs: runs.map((run) => ({ stream: run.stream, notes: notesOf(run) })) };
}

/** The version of the state that a value was written with; null where it is none of these values. */
export function stateVersionOf(value: Buffer): number | null {
  return value.length < FRAME_BYTES ? null : value.readUInt16BE(0);
}

/** Of two values of one key the one with the higher number is the newer one. */
export function orderOf(value: Buffer): number {
  return value.length < FRAME_BYTES ? -1 : value.readDoubleBE(2);
}

type EncodedRun = {
  stream: string;
  keys: string[];
  fingerprints: number[];
  versions: number[];
  offsets: number[];
  times: number[];
  uuids: Buffer;
  others: { index: number; id: string }[];
};

const UUID_BYTES = 16;
const NO_UUID = new Uint8Array(UUID_BYTES);
/** At most what a note, or a run, takes besides its texts. */
const NUMBERS_BYTES = 80;

class RunWriter {
  readonly #run: Omit<EncodedRun, 'uuids'>;
  readonly #uuids: Uint8Array[] = [];

  constructor(stream: string) {
    this.#run = { stream, keys: [], fingerprints: [], versions: [], offsets: [], times: [], others: [] };
  }

  add({ key, fingerprint, id, version, offset, occurredAt }: Note): void {
    const { keys, fingerprints, versions, offsets, times, others } = this.#run;
    const made = typeof id === 'string' ? toMadeId(id) : id;
    if (!(made instanceof Uint8Array)) others.push({ index: keys.length, id: made ?? '' });
    this.#uuids.push(made instanceof Uint8Array ? made : NO_UUID);
    keys.push(key);
    fingerprints.push(fingerprint);
    versions.push(version);
    offsets.push(offset);
    times.push(occurredAt);
  }

  encoded(): EncodedRun {
    return { ...this.#run, uuids: Buffer.concat(this.#uuids) };
  }
}

function* notesOf({ keys, fingerprints, versions, offsets, times, uuids, others }: EncodedRun): Generator<Note> {
  const idByIndex = new Map(others.map(({ index, id }) => [index, id === '' ? null : id]));
  for (const [index, key] of keys.entries()) {
    const other = idByIndex.get(index);
    const id =
      other === undefined ? new Uint8Array(uuids.buffer, uuids.byteOffset + UUID_BYTES * index, UUID_BYTES) : other;
    const [fingerprint, version] = [fingerprints[index] ?? 0, versions[index] ?? 0];
    yield { key, fingerprint, id, version, offset: offsets[index] ?? 0, occurredAt: times[index] ?? 0 };
  }
}

function pieceOf({ members: all, invited: guests }: ExistingRoom): Piece {
  return {
    members: [...all].map(([userId, username]) => ({ userId, username })),
    invited: [...guests].map(([userId, invitedBy]) => ({ userId, invitedBy })),
  };
}

/** Bytes that texts take in Avro at most. */
function maxBytes(...texts: string[]): number {
  return texts.reduce((sum, text) => sum + 3 * text.length + 5, 0);
}

function typeOf(name: string, fields: readonly object[]): avro.Type {
  return avro.Type.forSchema({ name, type: 'record', fields: [...fields] } as avro.Schema, { registry: {} });
}

function framed(type: avro.Type, order: number, content: object): Buffer {
  const body = type.toBuffer(content);
  const value = Buffer.allocUnsafe(FRAME_BYTES + body.length);
  value.writeUInt16BE(STATE_VERSION, 0);
  value.writeDoubleBE(order, 2);
  body.copy(value, FRAME_BYTES);
  return value;
}

/** Throws where the value is none of that type and of our STATE_VERSION. */
function unframed<Content>(type: avro.Type, value: Buffer): Content {
  if (stateVersionOf(value) !== STATE_VERSION) throw new Error('the value has another state version');
  return type.fromBuffer(value.subarray(FRAME_BYTES)) as Content;
}
