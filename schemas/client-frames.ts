// What a client may send over a socket: one entry a frame, with its data, what it is answered with, and the codes it is refused
// with. The compiler asks for an entry when a name is added to CLIENT_FRAMES; handlers answer with the type that stands here; the
// AsyncAPI document is made from this table.
import { z } from 'zod';
import { EXAMPLE_MESSAGE } from './examples.ts';
import type { RejectionCode } from './rejections.ts';
import { AuthFrame, JoinRoomFrame, LeaveRoomFrame, SendMessageFrame, TypingFrame } from './requests.ts';
import { CLIENT_FRAMES, type ClientFrameName, FIELDS } from './wire.ts';

/** `does` says in one sentence what the frame is for; the examples are what the schemas take. */
export type ClientFrameEntry = {
  does: string;
  data: z.ZodType<object>;
  answer: z.ZodType<object>;
  /** Beside those that every frame may get (ANY_FRAME_CODES). */
  codes: readonly RejectionCode[];
  example: { data: object; answer: object };
};

/** What any frame may be refused with, whatever its name. */
export const ANY_FRAME_CODES = [
  'malformed_frame',
  'unknown_event',
  'token_missing',
  'invalid_request',
  'busy',
  'internal',
] as const satisfies readonly RejectionCode[];

const { roomId } = EXAMPLE_MESSAGE;
const RoomAnswer = z.strictObject({ roomId: FIELDS.roomId });

export const CLIENT_FRAME_SCHEMAS = {
  [CLIENT_FRAMES.auth]: {
    does: 'Shows a token: the first one within 5 s of connecting, or a fresh one of the same user to stay connected.',
    data: AuthFrame,
    answer: z.strictObject({
      userId: z.string().describe('Id of the user whose token it is.'),
      username: z.string().describe('Name of that user.'),
    }),
    codes: ['token_invalid', 'token_expired', 'token_of_another_user'],
    example: { data: { token: 'eyJhbGciOi…' }, answer: { userId: 'ada', username: 'Ada' } },
  },
  [CLIENT_FRAMES.joinRoom]: {
    does: 'Asks for the frames of a room: with `after` first exactly those of the later versions, else `recent-messages`.',
    data: JoinRoomFrame,
    answer: z.strictObject({
      roomId: FIELDS.roomId,
      version: FIELDS.version.describe('Everything of the room up to this version has been sent.'),
      recovered: z
        .boolean()
        .exactOptional()
        .describe(
          'There with `after` only. True: every event after that version was sent. False, with `reset` only: the newest messages were sent instead.',
        ),
    }),
    codes: [
      'rate_limited',
      'too_many_rooms',
      'room_not_found',
      'not_a_member',
      'version_ahead',
      'projection_behind',
      'unavailable',
    ],
    example: { data: { roomId, after: 5 }, answer: { roomId, version: 7, recovered: true } },
  },
  [CLIENT_FRAMES.leaveRoom]: {
    does: 'Ends the frames of a room. Membership stays; it is changed over REST.',
    data: LeaveRoomFrame,
    answer: RoomAnswer,
    codes: [],
    example: { data: { roomId }, answer: { roomId } },
  },
  [CLIENT_FRAMES.sendMessage]: {
    does: 'Says something in a room. The answer means that it is in the log.',
    data: SendMessageFrame,
    answer: z.strictObject({
      message: z.strictObject({
        id: z.string().describe('Id of the message.'),
        roomId: FIELDS.roomId,
        version: FIELDS.version,
        timestamp: FIELDS.timestamp,
        commandId: z.string().describe('The one that was given, else one made for it.'),
      }),
      position: FIELDS.position,
    }),
    codes: [
      'message_empty',
      'message_too_long',
      'message_control_character',
      'message_not_unicode',
      'reply_to_unknown',
      'operator_only',
      'not_a_member',
      'room_not_found',
      'room_archived',
      'rate_limited',
      'log_unavailable',
      'partition_moving',
      'unavailable',
    ],
    example: {
      data: { roomId, message: 'Hello', commandId: 'my-command-1' },
      answer: {
        message: {
          id: EXAMPLE_MESSAGE.id,
          roomId,
          version: EXAMPLE_MESSAGE.version,
          timestamp: EXAMPLE_MESSAGE.timestamp,
          commandId: 'my-command-1',
        },
        position: '3-1042',
      },
    },
  },
  [CLIENT_FRAMES.typing]: {
    does: 'Tells the others in the room that you type. To be repeated while it lasts; it ends by itself after 6 s.',
    data: TypingFrame,
    answer: RoomAnswer,
    codes: ['rate_limited', 'not_a_member'],
    example: { data: { roomId }, answer: { roomId } },
  },
  [CLIENT_FRAMES.stopTyping]: {
    does: 'Tells the others in the room that you type no more.',
    data: TypingFrame,
    answer: RoomAnswer,
    codes: ['rate_limited', 'not_a_member'],
    example: { data: { roomId }, answer: { roomId } },
  },
} as const satisfies Record<ClientFrameName, ClientFrameEntry>;

/** What a frame of that name is answered with where it is not refused; of several names, of any of them. */
export type ClientFrameAnswer<Name extends ClientFrameName> = z.output<(typeof CLIENT_FRAME_SCHEMAS)[Name]['answer']>;
