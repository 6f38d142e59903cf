// What callers may send: one strict schema per request, used by REST routes and WebSocket frames alike. An unknown field is
// refused, because a misspelt one would otherwise be lost in silence.
import { z } from 'zod';
import { LIMITS } from './limits.ts';
import { type Rejection, reject } from './rejections.ts';

/**
 * Text of bounded length in code points that PostgreSQL and Avro can hold: well-formed, without NUL and other controls. JSON Schema
 * counts code points, where Zod counts UTF-16 units; so what the documents say of it is said apart.
 */
function boundedText(maxCodePoints: number, minCodePoints = 1, description?: string) {
  return z
    .string()
    .max(maxCodePoints * 2)
    .refine((text) => text.isWellFormed(), 'must be well-formed Unicode')
    .refine((text) => !CONTROL_CHARACTER.test(text), 'must not hold control characters')
    .refine((text) => {
      const count = codePoints(text);
      return count >= minCodePoints && count <= maxCodePoints;
    }, `must have ${minCodePoints} to ${maxCodePoints} characters`)
    .meta({
      ...(description === undefined ? {} : { description }),
      ...(minCodePoints > 0 ? { minLength: minCodePoints } : {}),
      maxLength: maxCodePoints,
      pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$',
    });
}

const id = boundedText(LIMITS.idCodePoints);
const roomId = id.describe('Id of the room.');
const onBehalfOf = z
  .strictObject({ userId: id, username: id })
  .optional()
  .describe('The user whom an operator acts for.');
const commandId = id
  .optional()
  .describe(
    'An id of your own for this command: however often it is repeated, it counts once. Left out, each request counts.',
  );
/** The refusal of a text has codes of its own (checkMessageText), so the schema only asks for a string. */
const messageText = z.string().meta({
  description: 'The text, kept as it is: never trimmed, never escaped. No control characters but tab and newline.',
  minLength: 1,
  maxLength: LIMITS.messageCodePoints,
});
const replyTo = id.nullable().optional().describe('Id of the message of this room that is answered.');
const originalTime = z.iso
  .datetime({ offset: true })
  .nullable()
  .optional()
  .describe('When an imported message was first said, in RFC 3339. For operators.');
const roomName = boundedText(LIMITS.roomNameCodePoints, 1, 'Name of the room.');
const roomDescription = boundedText(LIMITS.roomDescriptionCodePoints, 0, 'What the room is for.');

export const CreateRoomRequest = z.strictObject({
  roomid: id.describe('The space that the room belongs to.'),
  name: roomName,
  description: roomDescription.optional(),
  isPrivate: z.boolean().optional().describe('Whether joining needs an invitation, and others cannot see the room.'),
  commandId,
  onBehalfOf,
});
export const RoomRequest = z.strictObject({ chatroomId: roomId, commandId, onBehalfOf });
export const InviteRequest = z.strictObject({
  chatroomId: roomId,
  userId: id.describe('Id of the user who is invited.'),
  commandId,
  onBehalfOf,
});
export const ChangeRoomRequest = z
  .strictObject({
    chatroomId: roomId,
    name: roomName.optional(),
    description: roomDescription.optional(),
    commandId,
    onBehalfOf,
  })
  .refine((body) => body.name !== undefined || body.description !== undefined, 'name or description is needed')
  .meta({ anyOf: [{ required: ['name'] }, { required: ['description'] }] });
export const SendMessageRequest = z.strictObject({
  chatroomId: roomId,
  message: messageText,
  replyTo,
  originalTime,
  commandId,
  onBehalfOf,
});
export const ActiveRequest = z.strictObject({ chatroomId: roomId });
export const DevTokenRequest = z.strictObject({
  username: z
    .string()
    .regex(/^[\p{L}\p{N}][\p{L}\p{N}._ -]*$/u, 'letters, digits, and . _ - or blanks between them')
    .max(LIMITS.idCodePoints)
    .describe('Name and id of the demo user.'),
});

export const JoinRoomFrame = z.strictObject({
  roomId,
  after: z
    .int()
    .min(0)
    .optional()
    .describe('The highest version of the room that you have seen: exactly what came after it is sent first.'),
  reset: z
    .boolean()
    .optional()
    .describe(
      `Whether to get \`recent-messages\` in place of what you have missed where that is more than ${LIMITS.resetAfter} events.`,
    ),
});
export const LeaveRoomFrame = z.strictObject({ roomId });
export const TypingFrame = z.strictObject({ roomId });
export const SendMessageFrame = z.strictObject({
  roomId,
  message: messageText,
  replyTo,
  originalTime,
  commandId,
  onBehalfOf,
});
export const AuthFrame = z.strictObject({ token: z.string().max(8_192).describe('A JSON Web Token.') });

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
