// What nodes tell each other about a room beside the log: who is there and who is typing. One pub-sub channel a room, so a node
// hears only of rooms that it has. Signals may be lost; presence heals by renewal, typing by expiry.
import { z } from 'zod';
import type { PresentUser } from '../../schemas/presence.ts';

export type RoomSignalKind = 'present' | 'absent' | 'typing' | 'stopped';
/** What the node says of all these users together; at most BOUNDS.presenceBatch of them. */
export type RoomSignal = { node: string; kind: RoomSignalKind; users: readonly PresentUser[] };

const RoomSignalSchema = z.object({
  node: z.string(),
  kind: z.enum(['present', 'absent', 'typing', 'stopped']),
  users: z.array(z.object({ userId: z.string(), username: z.string() })),
});

export function channelOfRoom(roomId: string): string {
  return `room:${roomId}`;
}

export function formatSignal(signal: RoomSignal): string {
  return JSON.stringify(signal);
}

/** Null where the text is no signal: a node of another version may speak differently. */
export function parseSignal(text: string): RoomSignal | null {
  try {
    return RoomSignalSchema.parse(JSON.parse(text));
  } catch {
    // A signal that cannot be read is as good as one that was lost.
    return null;
  }
}
