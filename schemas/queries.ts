// What readers may ask: one strict schema per route. Query parameters are texts; an unknown one is refused like an unknown field.
// What lies inside a cursor is the read API's own affair (read-api/routes/requests.ts).
import { z } from 'zod';
import { LIMITS } from './limits.ts';
import { ActiveRequest, RoomRequest } from './requests.ts';

const id = RoomRequest.shape.chatroomId;
const chatroomId = ActiveRequest.shape.chatroomId;

/** A text that is a version, read as a number. */
function version(description: string) {
  return z
    .string()
    .regex(/^\d{1,15}$/, 'must be a version: a whole number')
    .transform(Number)
    .meta({ description, readAs: { type: 'integer', minimum: 0 } });
}

function pageLimit(fallback: number, max: number, of: string) {
  return z
    .string()
    .regex(/^\d{1,9}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(max))
    .default(fallback)
    .meta({
      description: `At most so many ${of} are answered.`,
      readAs: { type: 'integer', minimum: 1, maximum: max, default: fallback },
    });
}

function cursor(from: string) {
  return z.string().describe(`Where the page begins: \`${from}\` of the page before.`);
}

export const RoomsQuery = z.strictObject({
  spaceId: id.describe('The space whose rooms are asked for.'),
  cursor: cursor('nextCursor').optional(),
  limit: pageLimit(LIMITS.pageRooms, LIMITS.pageRooms, 'rooms'),
});
export const RoomParams = z.strictObject({ id: id.describe('Id of the room.') });
export const NoQuery = z.strictObject({});
export const MembersQuery = z.strictObject({
  chatroomId,
  cursor: cursor('nextCursor').optional(),
  limit: pageLimit(LIMITS.pageMembers, LIMITS.pageMembers, 'members'),
});
export const PresenceQuery = z.strictObject({
  cursor: cursor('nextCursor').optional(),
  limit: pageLimit(LIMITS.pagePresent, LIMITS.pagePresent, 'users'),
});
export const MessagesQuery = z
  .strictObject({
    chatroomId,
    before: version(
      'Only messages with versions below this one, the newest of them. Not together with `after`.',
    ).optional(),
    after: version(
      'Only messages with versions above this one, the oldest of them. Not together with `before`.',
    ).optional(),
    limit: pageLimit(LIMITS.pageMessages, LIMITS.pageMessagesMax, 'messages'),
  })
  .refine((query) => query.before === undefined || query.after === undefined, 'give before or after, not both');
export const EventStreamQuery = z.strictObject({
  after: version('The version after which events are wanted, where there is no `Last-Event-ID`.').optional(),
  reset: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .meta({
      description: `Whether to get \`recent-messages\` in place of what was missed where that is more than ${LIMITS.resetAfter} events.`,
      readAs: { type: 'boolean' },
    })
    .optional(),
});
export const EventStreamHeaders = z.strictObject({
  'Last-Event-ID': version('The id of the last event that the client has, which is a version.').optional(),
});
/** A browser that comes back by itself names in Last-Event-ID what it has, beside the URL of its first request. */
export const EventStreamRequest = z.strictObject({
  roomId: id,
  lastEventId: EventStreamHeaders.shape['Last-Event-ID'],
  after: EventStreamQuery.shape.after,
  reset: EventStreamQuery.shape.reset,
});
export const AsOfQuery = z.strictObject({
  at: z
    .string()
    .describe('A version of the room, or a time in RFC 3339 with a zone: then the newest version until then.'),
  limit: pageLimit(LIMITS.pageMessages, LIMITS.pageMessagesMax, 'messages'),
  before: version('Only messages with versions below this one: `nextBefore` of the page before.').optional(),
  membersCursor: cursor('nextMembersCursor').optional(),
});
