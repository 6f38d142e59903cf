// Cursors of lists: opaque to clients, so what they hold may change. One that is not ours is refused with invalid_request.
import { z } from 'zod';
import { RoomRequest } from '../../schemas/requests.ts';
import type { RoomCursor } from '../queries/room-pages.ts';

const id = RoomRequest.shape.chatroomId;
const MAX_CURSOR_CHARACTERS = 2_000;

const decoded = z
  .string()
  .max(MAX_CURSOR_CHARACTERS)
  .transform((text, context) => {
    try {
      return JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as unknown;
    } catch {
      // Whatever is wrong with it, it is no cursor of ours.
      context.addIssue({ code: 'custom', message: 'is not a cursor of this list' });
      return z.NEVER;
    }
  });

export const roomCursor = decoded
  .pipe(z.tuple([z.int().min(0), id]))
  .transform(([createdAtMs, roomId]): RoomCursor => ({ createdAtMs, roomId }));
export const userCursor = decoded.pipe(z.tuple([id])).transform(([userId]) => userId);

export function toRoomCursor({ createdAtMs, roomId }: RoomCursor): string {
  return encode([createdAtMs, roomId]);
}

export function toUserCursor(userId: string): string {
  return encode([userId]);
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
