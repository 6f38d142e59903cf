// What callers may send: one strict schema per request, used by REST routes and WebSocket frames alike. An unknown field is
// refused, because a misspelt one would otherwise be lost in silence.
import { z } from 'zod';
import { LIMITS } from './limits.ts';
import { type Rejection, reject } from './rejections.ts';

/** Text of bounded length in code points that PostgreSQL and Avro can hold: well-formed, without NUL and other controls. */
function boundedText(maxCodePoints: number, minCodePoints = 1) {
  return z
    .string()
    .max(maxCodePoints * 2)
    .refine((text) => text.isWellFormed(), 'must be well-formed Unicode')
    .refine((text) => !CONTROL_CHARACTER.test(text), 'must not hold control characters')
    .refine((text) => {
      const count = codePoints(text);
      return count >= minCodePoints && count <= maxCodePoints;
    }, `must have ${minCodePoints} to ${maxCodePoints} characters`);
}

const id = boundedText(LIMITS.idCodePoints);
const onBehalfOf = z.strictObject({ userId: id, username: id }).optional();
const commandId = id.optional();
const versionText = z
  .string()
  .regex(/^\d{1,15}$/, 'must be a version: a whole number')
  .transform(Number);
/** The refusal of a text has codes of its own (checkMessageText), so the schema only asks for a string. */
const messageText = z.string();

export const CreateRoomRequest = z.strictObject({
  roomid: id,
  name: boundedText(LIMITS.roomNameCodePoints),
  description: boundedText(LIMITS.roomDescriptionCodePoints, 0).optional(),
  isPrivate: z.boolean().optional(),
  commandId,
  onBehalfOf,
});
export const RoomRequest = z.strictObject({ chatroomId: id, commandId, onBehalfOf });
export const InviteRequest = z.strictObject({ chatroomId: id, userId: id, commandId, onBehalfOf });
export const ChangeRoomRequest = z
  .strictObject({
    chatroomId: id,
    name: boundedText(LIMITS.roomNameCodePoints).optional(),
    description: boundedText(LIMITS.roomDescriptionCodePoints, 0).optional(),
    commandId,
    onBehalfOf,
  })
  .refine((body) => body.name !== undefined || body.description !== undefined, 'name or description is needed');
export const SendMessageRequest = z.strictObject({
  chatroomId: id,
  message: messageText,
  replyTo: id.nullable().optional(),
  originalTime: z.iso.datetime({ offset: true }).nullable().optional(),
  commandId,
  onBehalfOf,
});
export const ActiveRequest = z.strictObject({ chatroomId: id });

export const JoinRoomFrame = z.strictObject({
  roomId: id,
  after: z.int().min(0).optional(),
  reset: z.boolean().optional(),
});
export const LeaveRoomFrame = z.strictObject({ roomId: id });
export const TypingFrame = z.strictObject({ roomId: id });
export const SendMessageFrame = z.strictObject({
  roomId: id,
  message: messageText,
  replyTo: id.nullable().optional(),
  originalTime: z.iso.datetime({ offset: true }).nullable().optional(),
  commandId,
  onBehalfOf,
});
/** A stream of a room's events. A browser that comes back by itself names in Last-Event-ID what it has, beside the URL of its first request. */
export const RoomEventsRequest = z.strictObject({
  roomId: id,
  lastEventId: versionText.optional(),
  after: versionText.optional(),
  reset: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional(),
});
export const AuthFrame = z.strictObject({ token: z.string().max(8_192) });

/** The value in its typed form, or invalid_request naming the first field at fault. */
export function parseRequest<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> | Rejection {
  const result = schema.safeParse(value ?? {});
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  return reject('invalid_request', issue ? `${issue.path.join('.') || 'body'}: ${issue.message}` : undefined);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is what it is for.
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the same, less tab and newline.
const CONTROL_CHARACTER_IN_MESSAGE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

/** Why a message text is refused, or null where it is fine. Text is stored as sent: never trimmed, never escaped. */
export function checkMessageText(text: string): Rejection | null {
  if (text.length === 0) return reject('message_empty');
  if (text.length > LIMITS.messageCodePoints && codePoints(text) > LIMITS.messageCodePoints)
    return reject('message_too_long');
  if (!text.isWellFormed()) return reject('message_not_unicode');
  if (CONTROL_CHARACTER_IN_MESSAGE.test(text)) return reject('message_control_character');
  return null;
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
