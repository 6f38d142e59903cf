// How presence lies in the shared expiring sets (platform/expiring-sets.ts): what socket nodes write there and readers read.
//
// A node's sign of life is in the set NODES_KEY for as long as it is renewed. Each room has a set of entries, one per user and
// node. A node puts its sign there only when all its entries are there too, so: an entry counts while its node's sign is there,
// and what has no entry is not there as far as that node goes.
import type { z } from 'zod';
import type { PresentView } from './wire.ts';

export type PresentUser = z.output<typeof PresentView>;
export type PresenceEntry = PresentUser & { node: string };

/** The set with the signs of life of all nodes. */
export const NODES_KEY = 'nodes';

/** The set of a room's entries. */
export function presenceKey(roomId: string): string {
  return `presence:${roomId}`;
}

export function formatEntry({ node, userId, username }: PresenceEntry): string {
  return JSON.stringify([node, userId, username]);
}

/** What all entries of that node begin with, and no others. */
export function beginningOfEntries(node: string): string {
  return `[${JSON.stringify(node)},`;
}

/** Null where it is no entry: a build of another time may write otherwise. */
export function parseEntry(text: string): PresenceEntry | null {
  const parsed: unknown = parseJson(text);
  if (!Array.isArray(parsed)) return null;
  const [node, userId, username] = parsed as unknown[];
  if (typeof node !== 'string' || typeof userId !== 'string' || typeof username !== 'string') return null;
  return { node, userId, username };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // As good as none.
    return null;
  }
}
