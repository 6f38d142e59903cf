// The answers to the newest commands of a partition's rooms, so that a repeated command gets the first one's. A room forgets its
// oldest command only when it has more than it promises (LIMITS.rememberedCommands) and that one is older than it promises
// (LIMITS.rememberedMs, by the times in the events, so that the fold gives the same whenever it is made). The partition's bound is
// the memory: about 180 bytes a command.
import { type Accepted, positionOf, subjectOf } from '../../schemas/commands.ts';
import type { Actor, ChatEvent } from '../../schemas/generated/events.ts';
import { CommandColumns, idToText, NONE, type Note, type Noted, type RowList } from './command-columns.ts';
import { fingerprintOfEvent } from './fingerprint.ts';

/** Commands of one room that came one after the other. */
export type NoteRun = { stream: string; notes: Iterable<Note> };

export type RememberedBounds = {
  /** What a room remembers at least: so many commands, and all of so many milliseconds. */
  perRoom: number;
  perRoomMs: number;
  /** What all rooms remember at most. */
  perPartition: number;
};

/** Rooms are chained, the one written last at the end. */
type Room = RowList & { stream: string; rowByKey: Map<string, number>; before: Room | null; after: Room | null };

/** How many a room forgets for one new command, so that no command pays for a day's worth of them. */
const FORGOTTEN_AT_ONCE = 2;

export class RememberedCommands {
  readonly #bounds: RememberedBounds;
  readonly #rooms = new Map<string, Room>();
  readonly #columns = new CommandColumns();
  #firstRoom: Room | null = null;
  #lastRoom: Room | null = null;
  #count = 0;
  #unsaved: UnsavedNotes | null = null;

  constructor(bounds: RememberedBounds) {
    this.#bounds = bounds;
  }

  get count(): number {
    return this.#count;
  }

  get(stream: string, key: string): Noted | undefined {
    const row = this.#rooms.get(stream)?.rowByKey.get(key);
    return row === undefined ? undefined : this.#columns.get(row);
  }

  /** Notes the command that led to this event; of several events of one command the last one's place is the answer. */
  note(stream: string, event: ChatEvent, offset: number): void {
    const key = flat(commandKey(event.metadata, event.metadata.commandId));
    const { version, occurredAt } = event.metadata;
    const id = event.type === 'MessageSent' ? event.messageId : null;
    this.add(stream, { key, fingerprint: fingerprintOfEvent(event), id, version, offset, occurredAt });
  }

  /** The same of what a snapshot noted. */
  add(stream: string, note: Note): void {
    const room = this.#put(stream, note);
    for (let left = FORGOTTEN_AT_ONCE; left > 0 && this.#isOldestDue(room, note.occurredAt); left--) {
      this.#forget(room, room.first);
    }
    while (this.#count > this.#bounds.perPartition) {
      if (room.rowByKey.size > this.#bounds.perRoom) this.#forget(room, room.first);
      else if (this.#firstRoom !== null && this.#firstRoom !== room) this.#forgetRoom(this.#firstRoom);
      else break;
    }
    this.#unsaved?.add(stream, note, this.#bounds.perPartition);
  }

  /** Puts back what `all` gave, in its order. Nothing is forgotten: it is what was left after forgetting. */
  restore(stream: string, note: Note): void {
    this.#put(stream, note);
  }

  /** From now on takeUnsaved knows what is added. */
  keepUnsaved(): void {
    this.#unsaved ??= new UnsavedNotes();
  }

  /** What was added since the last call, in its order; null where that was too much to be kept. */
  takeUnsaved(): { runs: readonly NoteRun[]; count: number } | null {
    const taken = this.#unsaved;
    if (taken !== null) this.#unsaved = new UnsavedNotes();
    return taken?.isTooMuch === false ? taken : null;
  }

  /** All that is remembered now, the room written last at the end. It may be gone through later, whatever comes meanwhile. */
  all(): NoteRun[] {
    const columns = this.#columns.copy();
    const runs: NoteRun[] = [];
    for (let room = this.#firstRoom; room !== null; room = room.after) {
      runs.push({ stream: room.stream, notes: columns.from(room.first) });
    }
    return runs;
  }

  #put(stream: string, note: Note): Room {
    const room = this.#roomAtEnd(stream);
    const before = room.rowByKey.get(note.key);
    if (before !== undefined) this.#forget(room, before);
    room.rowByKey.set(note.key, this.#columns.add(room, note));
    this.#count++;
    return room;
  }

  #roomAtEnd(stream: string): Room {
    let room = this.#rooms.get(stream);
    if (room === undefined) {
      room = { stream, rowByKey: new Map(), first: NONE, last: NONE, before: null, after: null };
      this.#rooms.set(stream, room);
    } else if (room === this.#lastRoom) return room;
    else this.#unchain(room);
    room.before = this.#lastRoom;
    room.after = null;
    if (this.#lastRoom === null) this.#firstRoom = room;
    else this.#lastRoom.after = room;
    this.#lastRoom = room;
    return room;
  }

  #unchain(room: Room): void {
    if (room.before === null) this.#firstRoom = room.after;
    else room.before.after = room.after;
    if (room.after === null) this.#lastRoom = room.before;
    else room.after.before = room.before;
  }

  #isOldestDue(room: Room, now: number): boolean {
    return (
      room.rowByKey.size > this.#bounds.perRoom && this.#columns.occurredAt(room.first) < now - this.#bounds.perRoomMs
    );
  }

  #forget(room: Room, row: number): void {
    room.rowByKey.delete(this.#columns.keyOf(row));
    this.#columns.drop(room, row);
    this.#count--;
  }

  #forgetRoom(room: Room): void {
    this.#unchain(room);
    this.#rooms.delete(room.stream);
    while (room.first !== NONE) this.#forget(room, room.first);
  }
}

/** What was added since the last snapshot. Too much of it is given up, because then writing all anew is as good. */
class UnsavedNotes {
  readonly runs: { stream: string; notes: Note[] }[] = [];
  count = 0;
  isTooMuch = false;

  add(stream: string, note: Note, max: number): void {
    if (this.isTooMuch) return;
    if (++this.count > max) {
      this.isTooMuch = true;
      this.runs.length = 0;
      return;
    }
    const last = this.runs.at(-1);
    if (last?.stream === stream) last.notes.push(note);
    else this.runs.push({ stream, notes: [note] });
  }
}

/**
 * Under what a command is remembered in its room: the user it counts for and that user's commandId. The separator cannot be
 * part of a user id.
 */
export function commandKey(who: { actor: Actor; onBehalfOf: Actor | null }, commandId: string): string {
  return `${subjectOf(who).userId}\0${commandId}`;
}

/**
 * The same text in one piece: V8 keeps a joined text as its parts, which take half as much again, until somebody looks into it. (And
 * looks so that the compiler cannot know the answer, else nobody looks.)
 */
function flat(text: string): string {
  return text.charCodeAt(0) > 0 ? text : text.slice();
}

/** The id of what the event made. */
export function idOf(event: ChatEvent): string {
  return event.type === 'MessageSent' ? event.messageId : event.roomId;
}

/** The answer that the command got when it was new. */
export function rememberedAnswer(remembered: Noted, roomId: string, partition: number): Accepted {
  const { id, version, offset, occurredAt } = remembered;
  return {
    roomId,
    id: idToText(id, roomId),
    version,
    position: positionOf(partition, offset),
    occurredAt,
    changed: true,
  };
}
