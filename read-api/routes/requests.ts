// What readers may ask: one strict schema per route. Query parameters are texts; an unknown one is refused like an unknown field.
import type { Context } from 'koa';
import { z } from 'zod';
import { Problem } from '../../platform/http-app.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { isRejection } from '../../schemas/rejections.ts';
import { ActiveRequest, parseRequest, RoomRequest } from '../../schemas/requests.ts';
import { parseAsOfPoint } from '../queries/as-of.ts';
import { roomCursor, userCursor } from './cursors.ts';

const id = RoomRequest.shape.chatroomId;
const version = z
  .string()
  .regex(/^\d{1,15}$/, 'must be a version: a whole number')
  .transform(Number);

function pageLimit(fallback: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(max))
    .default(fallback);
}

export const RoomsQuery = z.strictObject({
  spaceId: id,
  cursor: roomCursor.optional(),
  limit: pageLimit(LIMITS.pageRooms, LIMITS.pageRooms),
});
export const RoomParams = z.strictObject({ id });
export const NoQuery = z.strictObject({});
export const MembersQuery = z.strictObject({
  chatroomId: id,
  cursor: userCursor.optional(),
  limit: pageLimit(LIMITS.pageMembers, LIMITS.pageMembers),
});
export const PresenceQuery = z.strictObject({
  cursor: userCursor.optional(),
  limit: pageLimit(LIMITS.pagePresent, LIMITS.pagePresent),
});
export const MessagesQuery = z
  .strictObject({
    chatroomId: id,
    before: version.optional(),
    after: version.optional(),
    limit: pageLimit(LIMITS.pageMessages, LIMITS.pageMessagesMax),
  })
  .refine((query) => query.before === undefined || query.after === undefined, 'give before or after, not both');
export const AsOfRequest = z.strictObject({
  at: z.string().transform((text, context) => {
    const point = parseAsOfPoint(text);
    if (point === null) context.addIssue({ code: 'custom', message: 'must be a version or a time in RFC 3339' });
    return point ?? z.NEVER;
  }),
  limit: pageLimit(LIMITS.pageMessages, LIMITS.pageMessagesMax),
  before: version.optional(),
  membersCursor: userCursor.optional(),
});
export { ActiveRequest };

/** The value in its typed form; ends the request with invalid_request where it is not of the schema. */
export function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = parseRequest(schema, value);
  if (typeof parsed === 'object' && parsed !== null && isRejection(parsed)) {
    throw new Problem(parsed.rejected, { detail: parsed.detail });
  }
  return parsed;
}

/** The query as a plain object: Koa's own has no prototype. */
export function queryOf(context: Pick<Context, 'query'>): Record<string, unknown> {
  return { ...context.query };
}
