// What the service sends over a socket: one entry a frame, with its data and an example. The compiler asks for an entry when a name
// is added to SERVER_FRAMES; the data of every frame that is encoded has the type of its entry; the AsyncAPI document is made from
// this table. Frames are never parsed with it while the service runs, only in tests.
import { z } from 'zod';
import { CLOSE_CODES, type CloseName } from './close-codes.ts';
import { EXAMPLE_EVENT, EXAMPLE_MESSAGE, EXAMPLE_USER } from './examples.ts';
import { REJECTIONS, type RejectionCode } from './rejections.ts';
import { FIELDS, MessageView, PresentView, RoomEventData, SERVER_FRAMES, type ServerFrameName } from './wire.ts';

/** `when` says in one sentence when the frame comes; `example` is data that the schema takes. */
export type ServerFrameEntry = { when: string; data: z.ZodType<object>; example: object };

export const UserInRoom = z
  .strictObject({
    roomId: FIELDS.roomId,
    userId: z.string().describe('Id of the user it is about.'),
    username: z.string().describe('Name of that user.'),
  })
  .describe('A user, in a room.');

/** Every code that a refusal may carry. */
export const RejectionCodes = z
  .enum(Object.keys(REJECTIONS) as RejectionCode[])
  .describe('A stable code: never renamed, never given another meaning.');

/** What a frame or a request is refused with over the socket. */
export const Refusal = z
  .strictObject({
    code: RejectionCodes,
    message: z.string().describe('For people, never to be parsed.'),
    retryAfterMs: z.int().min(0).exactOptional().describe('Milliseconds after which trying again can help.'),
  })
  .describe('Why a frame was refused.');
export type Refusal = z.output<typeof Refusal>;

const ErrorData = z.union([
  Refusal.extend({
    event: z.string().nullable().describe('The event of the frame that was refused, or null where it was no frame.'),
    roomId: FIELDS.roomId.exactOptional().describe('The room that the service took you out of.'),
  }).describe('A frame was refused, or the service took you out of a room: then join again.'),
  z
    .strictObject({
      code: z.enum(Object.keys(CLOSE_CODES) as CloseName[]),
      message: z.string().describe('For people, never to be parsed.'),
      closeCode: z.int().describe('The close code that a bare WebSocket would get.'),
      reconnect: z.boolean().describe('Whether coming back can help.'),
      afterMs: z.int().min(0).describe('Milliseconds to wait at least before coming back.'),
      event: z.null(),
    })
    .describe(
      'To socket.io and streams of events only, which know no close codes: the service ends the connection right after it.',
    ),
]);

export const SERVER_FRAME_SCHEMAS = {
  [SERVER_FRAMES.ready]: {
    when: 'The token was taken: frames are taken from now on.',
    data: z.strictObject({
      userId: z.string().describe('Id of the user whose token it is.'),
      username: z.string().describe('Name of that user.'),
    }),
    example: { userId: EXAMPLE_EVENT.userId, username: EXAMPLE_EVENT.username },
  },
  [SERVER_FRAMES.receiveMessage]: {
    when: 'Somebody, maybe you, said something in a room that this socket has joined.',
    data: MessageView,
    example: EXAMPLE_MESSAGE,
  },
  [SERVER_FRAMES.recentMessages]: {
    when: 'Right before the answer to a `join-room` without `after`.',
    data: z.strictObject({
      roomId: FIELDS.roomId,
      messages: z.array(MessageView).describe('The newest messages of the room, ascending by version.'),
      version: FIELDS.version.describe('Version of the room: everything up to it is in history.'),
    }),
    example: { roomId: EXAMPLE_EVENT.roomId, messages: [EXAMPLE_MESSAGE], version: 7 },
  },
  [SERVER_FRAMES.userJoined]: {
    when: "Another member's first socket has joined the room.",
    data: UserInRoom,
    example: EXAMPLE_USER,
  },
  [SERVER_FRAMES.userLeft]: {
    when: "Another member's last socket has left the room, or was lost.",
    data: UserInRoom,
    example: EXAMPLE_USER,
  },
  [SERVER_FRAMES.typing]: {
    when: 'Another member types. Ends by itself where no `stop-typing` comes.',
    data: UserInRoom,
    example: EXAMPLE_USER,
  },
  [SERVER_FRAMES.stopTyping]: {
    when: 'Another member types no more.',
    data: UserInRoom,
    example: EXAMPLE_USER,
  },
  [SERVER_FRAMES.error]: {
    when: 'A frame without `ref` was refused, or the service took this socket out of a room.',
    data: ErrorData,
    example: { code: 'unknown_event', message: REJECTIONS.unknown_event.title, event: 'sing' },
  },
  [SERVER_FRAMES.heartbeat]: {
    when: 'Every 25 s while a room is joined and the node knows that it has all there is: everything up to this version was sent.',
    data: z.strictObject({
      roomId: FIELDS.roomId,
      version: FIELDS.version.describe('The newest version of the room.'),
    }),
    example: { roomId: EXAMPLE_EVENT.roomId, version: 7 },
  },
  [SERVER_FRAMES.tokenExpiring]: {
    when: 'The token ends soon, and the socket with it: send a fresh one of the same user as an auth frame.',
    data: z.strictObject({
      expiresAt: z.iso.datetime().describe('When the token ends.'),
      inMs: z.int().min(0).describe('Milliseconds until then, by the clock of the service.'),
    }),
    example: { expiresAt: EXAMPLE_EVENT.timestamp, inMs: 60_000 },
  },
  [SERVER_FRAMES.draining]: {
    when: 'The node goes away: the last frame before the close with 1001.',
    data: z.strictObject({
      afterMs: z.int().min(0).describe('Milliseconds to wait before coming back; another number for every socket.'),
    }),
    example: { afterMs: 2_345 },
  },
  [SERVER_FRAMES.roomCreated]: {
    when: 'The room came into being: version 1, which only somebody who asks for it with `after: 0` gets.',
    data: RoomEventData.extend({
      spaceId: FIELDS.spaceId,
      name: z.string(),
      description: z.string(),
      isPrivate: z.boolean(),
    }),
    example: { ...EXAMPLE_EVENT, version: 1, spaceId: 'plaza', name: 'Lobby', description: '', isPrivate: false },
  },
  [SERVER_FRAMES.roomDetailsChanged]: {
    when: 'The room has another name or description.',
    data: RoomEventData.extend({
      name: z.string().describe('The name from now on.'),
      description: z.string().describe('The description from now on.'),
    }),
    example: { ...EXAMPLE_EVENT, name: 'Attic', description: 'dusty' },
  },
  [SERVER_FRAMES.roomArchived]: {
    when: 'The room is archived: nothing more can happen in it.',
    data: RoomEventData,
    example: EXAMPLE_EVENT,
  },
  [SERVER_FRAMES.memberInvited]: {
    when: 'A member invited somebody, who may now join a private room.',
    data: RoomEventData.extend({ invitedUserId: z.string().describe('Id of the user who was invited.') }),
    example: { ...EXAMPLE_EVENT, invitedUserId: 'bob' },
  },
  [SERVER_FRAMES.memberJoined]: {
    when: 'A user has become a member of the room.',
    data: RoomEventData,
    example: EXAMPLE_EVENT,
  },
  [SERVER_FRAMES.memberLeft]: {
    when: 'A member has left the room. Where it is you, it is the last frame of the room.',
    data: RoomEventData,
    example: EXAMPLE_EVENT,
  },
  [SERVER_FRAMES.presence]: {
    when: 'Within a second after you have joined a room, and then when members have come or gone.',
    data: z.strictObject({
      roomId: FIELDS.roomId,
      count: z.int().min(0).describe('How many users are present, after the changes that the frame tells.'),
      large: z
        .boolean()
        .describe(
          'Whether so many are present that their number alone is told: no `members`, `joined` and `left` stay empty, and `user-joined` and `user-left` do not come.',
        ),
      members: z
        .array(PresentView)
        .exactOptional()
        .describe(
          'All who are present, you among them. Only to who has just joined, and when the room is large no more.',
        ),
      joined: z.array(PresentView).describe('Who has come since the frame before.'),
      left: z.array(PresentView).describe('Who has gone since the frame before, and has not come back at once.'),
    }),
    example: {
      roomId: EXAMPLE_EVENT.roomId,
      count: 2,
      large: false,
      joined: [{ userId: 'bob', username: 'Bob' }],
      left: [],
    },
  },
} as const satisfies Record<ServerFrameName, ServerFrameEntry>;

/** The data of the frame of that name; of several names, of any of them. */
export type ServerFrameData<Name extends ServerFrameName> = z.output<(typeof SERVER_FRAME_SCHEMAS)[Name]['data']>;

export type ServerFrame = {
  [Name in ServerFrameName]: { event: Name; data: ServerFrameData<Name> };
}[ServerFrameName];
