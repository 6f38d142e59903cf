// What is remembered of many commands, in columns of numbers and bytes: objects would take twice the memory, and the garbage
// collector would look at every one of them again and again. Rows are chained into lists, one for each room, oldest first, because
// finding the oldest of a Map takes the longer the more was deleted from its front.

/** What a command made: 16 bytes of a UUID, else its text; null: the room itself. */
export type MadeId = Uint8Array | string | null;

/** What a command was and what it led to. */
export type Noted = {
  /** What the command was: the same commandId with another content is a mistake of its sender. */
  fingerprint: number;
  /** What it made. A UUID may also come as its text. */
  id: MadeId;
  version: number;
  offset: number;
  occurredAt: number;
};

/** The same under its commandKey. */
export type Note = Noted & { key: string };

/** Rows from the oldest to the newest; NONE where there are none. */
export type RowList = { first: number; last: number };

export const NONE = -1;

const UUID_BYTES = 16;
const FIRST_ROWS = 64;

export class CommandColumns {
  readonly #keys: string[];
  #fingerprints = new Uint32Array(0);
  #versions = new Float64Array(0);
  #offsets = new Float64Array(0);
  #times = new Float64Array(0);
  #uuids: Uint8Array = new Uint8Array(0);
  #before = new Int32Array(0);
  #after = new Int32Array(0);
  /** Of rows whose id is no UUID. */
  readonly #otherIds: Map<number, string | null>;
  /** Rows that were dropped and are free again. */
  readonly #free: number[] = [];

  constructor(keys: string[] = [], otherIds: Iterable<[number, string | null]> = []) {
    this.#keys = keys;
    this.#otherIds = new Map(otherIds);
  }

  /** Puts it at the end of the list and returns its row. */
  add(list: RowList, { key, fingerprint, id, version, offset, occurredAt }: Note): number {
    const row = this.#free.pop() ?? this.#keys.length;
    if (row === this.#versions.length) this.#grow();
    this.#keys[row] = key;
    this.#fingerprints[row] = fingerprint;
    this.#versions[row] = version;
    this.#offsets[row] = offset;
    this.#times[row] = occurredAt;
    if (id instanceof Uint8Array) this.#uuids.set(id, row * UUID_BYTES);
    else if (id === null || !writeUuid(id, this.#uuids, row * UUID_BYTES)) this.#otherIds.set(row, id);
    this.#before[row] = list.last;
    this.#after[row] = NONE;
    if (list.last === NONE) list.first = row;
    else this.#after[list.last] = row;
    list.last = row;
    return row;
  }

  /** Takes the row out of its list; it may be another command's from now on. */
  drop(list: RowList, row: number): void {
    const [before, after] = [this.#before[row] ?? NONE, this.#after[row] ?? NONE];
    if (before === NONE) list.first = after;
    else this.#after[before] = after;
    if (after === NONE) list.last = before;
    else this.#before[after] = before;
    this.#otherIds.delete(row);
    this.#keys[row] = '';
    this.#free.push(row);
  }

  /** A UUID is given as bytes, which are a view: they change with the row. */
  get(row: number): Note {
    const other = this.#otherIds.get(row);
    return {
      key: this.keyOf(row),
      fingerprint: this.#fingerprints[row] ?? 0,
      id: other === undefined ? this.#uuids.subarray(row * UUID_BYTES, (row + 1) * UUID_BYTES) : other,
      version: this.#versions[row] ?? 0,
      offset: this.#offsets[row] ?? 0,
      occurredAt: this.occurredAt(row),
    };
  }

  keyOf(row: number): string {
    return this.#keys[row] ?? '';
  }

  occurredAt(row: number): number {
    return this.#times[row] ?? 0;
  }

  /** From that row to the end of its list. */
  *from(first: number): Generator<Note> {
    for (let row = first; row !== NONE; row = this.#after[row] ?? NONE) yield this.get(row);
  }

  /** The same rows, which stay as they are now. */
  copy(): CommandColumns {
    const copy = new CommandColumns([...this.#keys], this.#otherIds);
    copy.#fingerprints = this.#fingerprints.slice();
    copy.#versions = this.#versions.slice();
    copy.#offsets = this.#offsets.slice();
    copy.#times = this.#times.slice();
    copy.#uuids = this.#uuids.slice();
    copy.#after = this.#after.slice();
    return copy;
  }

  /** By half, so that at most a third is empty. */
  #grow(): void {
    const rows = Math.max(FIRST_ROWS, Math.ceil(this.#versions.length * 1.5));
    this.#fingerprints = grown(this.#fingerprints, new Uint32Array(rows));
    this.#versions = grown(this.#versions, new Float64Array(rows));
    this.#offsets = grown(this.#offsets, new Float64Array(rows));
    this.#times = grown(this.#times, new Float64Array(rows));
    this.#uuids = grown(this.#uuids, new Uint8Array(rows * UUID_BYTES));
    this.#before = grown(this.#before, new Int32Array(rows));
    this.#after = grown(this.#after, new Int32Array(rows));
  }
}

function grown<Column extends Uint32Array | Int32Array | Float64Array | Uint8Array>(from: Column, to: Column): Column {
  to.set(from);
  return to;
}

/** The id as text, the room's own where it made nothing else. */
export function idToText(id: MadeId, roomId: string): string {
  if (id === null) return roomId;
  if (typeof id === 'string') return id;
  const hex = Buffer.from(id).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The bytes of a UUID in its usual form, small letters; any other text stays what it is. */
export function toMadeId(text: string): Uint8Array | string {
  const bytes = new Uint8Array(UUID_BYTES);
  return writeUuid(text, bytes, 0) ? bytes : text;
}

/** False where the text is no UUID in its usual form; then some bytes may be written all the same. */
function writeUuid(text: string, into: Uint8Array, at: number): boolean {
  if (text.length !== UUID_CHARACTERS) return false;
  let place = at;
  for (let index = 0; index < UUID_CHARACTERS; index += 2) {
    if (index === 8 || index === 13 || index === 18 || index === 23) {
      if (text.charCodeAt(index) !== DASH) return false;
      index++;
    }
    const byte = (hexDigit(text.charCodeAt(index)) << 4) | hexDigit(text.charCodeAt(index + 1));
    if (byte < 0) return false;
    into[place++] = byte;
  }
  return true;
}

const UUID_CHARACTERS = 36;
const DASH = 0x2d;

/** Negative for everything but a digit or a small letter up to f. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x66 ? code - 0x61 + 10 : -1;
}
