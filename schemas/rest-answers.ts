// What the REST API answers with, beside the views of schemas/wire.ts.
import { z } from 'zod';
import { REJECTIONS, type RejectionCode } from './rejections.ts';
import { RejectionCodes } from './server-frames.ts';
import { FIELDS, MemberView, MessageView, PresentView, RoomView } from './wire.ts';

/** Of every refusal and fault: problem+json (RFC 9457). */
export const ProblemAnswer = z
  .strictObject({
    type: z.string().describe('`urn:roomlog:problem:` and the code.'),
    title: z.string().describe('What the code means, for people.'),
    status: z.int().describe('The HTTP status.'),
    code: RejectionCodes,
    requestId: z.string().describe('The `x-request-id` of the request.'),
    detail: z.string().exactOptional().describe('What exactly is wrong, for people; never to be parsed.'),
  })
  .describe('Why a request was refused.');

export function exampleProblem(code: RejectionCode): z.output<typeof ProblemAnswer> {
  const { status, title } = REJECTIONS[code];
  return { type: `urn:roomlog:problem:${code}`, title, status, code, requestId: EXAMPLE_REQUEST_ID };
}

const EXAMPLE_REQUEST_ID = '0199c0de-0000-7000-8000-00000000000c';

export const CreateRoomAnswer = z.strictObject({ chatroom: RoomView, position: FIELDS.position });

/** Of every command that changes a room. */
export const ChangeAnswer = z
  .strictObject({
    success: z.literal(true),
    chatroomId: FIELDS.roomId,
    version: FIELDS.version.describe('Version of the room after it.'),
    position: FIELDS.position,
    changed: z.boolean().describe('False: there was nothing to do, which is no error.'),
  })
  .describe('The command is in the log.');

export const SendMessageAnswer = z.strictObject({ message: MessageView, position: FIELDS.position });

const nextCursor = z.string().exactOptional().describe('`cursor` of the next page; absent on the last one.');

export const RoomsAnswer = z.strictObject({
  chatrooms: z.array(RoomView).describe('The newest first.'),
  nextCursor,
});

export const RoomAnswer = z.strictObject({ chatroom: RoomView });

export const MembersAnswer = z.strictObject({
  members: z
    .array(MemberView.extend({ active: z.boolean().describe('Whether they were seen in the room within a minute.') }))
    .describe('In the order of user ids.'),
  nextCursor,
});

export const PresenceAnswer = z.strictObject({
  count: z.int().min(0).describe('How many users are present.'),
  members: z.array(PresentView).describe('In the order of user ids.'),
  nextCursor,
});

export const MessagesAnswer = z.strictObject({
  messages: z.array(MessageView).describe('Ascending by version.'),
  nextCursor: z
    .string()
    .exactOptional()
    .describe(
      'The version to give as `before` next, or as `after` where the page was asked for so; absent on the last page.',
    ),
});

export const AsOfAnswer = z
  .strictObject({
    chatroom: RoomView,
    members: z.array(MemberView).describe('In the order of user ids, at most 100.'),
    nextMembersCursor: z.string().exactOptional().describe('`membersCursor` of the next page; absent on the last one.'),
    messages: z.array(MessageView).describe('The newest then, ascending by version.'),
    nextBefore: z
      .string()
      .exactOptional()
      .describe('`before` of the page with older messages; absent on the last one.'),
    version: FIELDS.version,
    at: z.iso.datetime().describe('When that version came into being: RFC 3339 in UTC.'),
  })
  .describe('The room as it was.');

export const ActiveAnswer = z.strictObject({ chatroomId: FIELDS.roomId, active: z.literal(true) });

const afterMs = z
  .int()
  .min(0)
  .describe('Milliseconds to wait at least; add a random while, and more with every failure.');

export const CodesAnswer = z.strictObject({
  closeCodes: z
    .record(
      z.string(),
      z.strictObject({
        name: z.string(),
        reconnect: z.boolean().describe('Whether coming back with the same token can help.'),
        afterMs,
        reason: z.string().describe('For people.'),
      }),
    )
    .describe('By number.'),
  errorCodes: z
    .record(
      z.string(),
      z.strictObject({
        status: z.int().describe('The HTTP status that it has over REST.'),
        retry: z.boolean().describe('Whether the same request can succeed without anything being changed.'),
        afterMs,
        title: z.string().describe('For people.'),
      }),
    )
    .describe('By code.'),
});

export const DevTokenAnswer = z.strictObject({
  token: z.string().describe('A JSON Web Token.'),
  userId: z.string().describe('The name that was asked for.'),
  username: z.string(),
  expiresAt: z.iso.datetime().describe('RFC 3339 in UTC.'),
});

export const HealthAnswer = z.strictObject({
  status: z.literal('ok'),
  role: z.string().describe('What this process is.'),
});

export const ReadyAnswer = z.strictObject({
  status: z.enum(['ready', 'not ready']),
  role: z.string().describe('What this process is.'),
  checks: z
    .record(
      z.string(),
      z.strictObject({
        ok: z.boolean(),
        note: z.string().exactOptional().describe('What an operator should see although all works.'),
        error: z.string().exactOptional().describe('Why it cannot be used.'),
      }),
    )
    .describe('By the name of what is needed.'),
});
