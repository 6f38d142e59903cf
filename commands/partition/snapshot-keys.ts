// The keys of a snapshot. All of one set begin with its id, <n>-<uuid>: n is padded, so that ids compare as texts like their numbers.
const DIGITS = 12;

export type SnapshotKey = { set: string } & (
  | { kind: 'marker' }
  | { kind: 'room'; stream: string }
  | { kind: 'piece'; stream: string; version: number; index: number }
  | { kind: 'segment'; number: number }
);

export function setIdOf(number: number, uuid: string): string {
  return `${String(number).padStart(DIGITS, '0')}-${uuid}`;
}

export function numberOfSet(set: string): number {
  return Number(set.slice(0, DIGITS));
}

export function toKey(key: SnapshotKey): string {
  switch (key.kind) {
    case 'marker':
      return `${key.set} marker`;
    case 'room':
      return `${key.set} room ${key.stream}`;
    case 'piece':
      return `${key.set} piece ${key.version} ${key.index} ${key.stream}`;
    case 'segment':
      return `${key.set} segment ${key.number}`;
  }
}

/** Null for a key that is none of these. */
export function parseKey(text: string): SnapshotKey | null {
  const [, set = '', kind = '', rest = ''] = KEY.exec(text) ?? [];
  switch (kind) {
    case 'marker':
      return { set, kind };
    case 'room':
      return { set, kind, stream: rest };
    case 'segment':
      return { set, kind, number: Number(rest) };
    case 'piece': {
      const [, version, index, stream = ''] = PIECE.exec(rest) ?? [];
      return { set, kind, stream, version: Number(version), index: Number(index) };
    }
    default:
      return null;
  }
}

/** A stream may hold any letters, line breaks included. */
const KEY = /^(\d{12}-\S+) (marker|room|piece|segment)(?: (.*))?$/s;
const PIECE = /^(\d+) (\d+) (.*)$/s;
