// What readers may ask, in its typed form: schemas/queries.ts, and what only the read API knows, which is what cursors hold.
import type { Context } from 'koa';
import { z } from 'zod';
import { Problem } from '../../platform/http-app.ts';
import {
  AsOfQuery,
  MembersQuery as MembersTexts,
  PresenceQuery as PresenceTexts,
  RoomsQuery as RoomsTexts,
} from '../../schemas/queries.ts';
import { isRejection } from '../../schemas/rejections.ts';
import { parseRequest } from '../../schemas/requests.ts';
import { parseAsOfPoint } from '../queries/as-of.ts';
import { roomCursor, userCursor } from './cursors.ts';

export const RoomsQuery = RoomsTexts.extend({ cursor: roomCursor.optional() });
export const MembersQuery = MembersTexts.extend({ cursor: userCursor.optional() });
export const PresenceQuery = PresenceTexts.extend({ cursor: userCursor.optional() });
export const AsOfRequest = AsOfQuery.extend({
  at: z.string().transform((text, context) => {
    const point = parseAsOfPoint(text);
    if (point === null) context.addIssue({ code: 'custom', message: 'must be a version or a time in RFC 3339' });
    return point ?? z.NEVER;
  }),
  membersCursor: userCursor.optional(),
});

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
