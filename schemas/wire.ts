// The names of the WebSocket's frames and the shapes of the JSON that both REST and WebSocket speak. The names are the integration
// guide's; what stands below a "beyond the guide" comment is ours. What a frame holds: server-frames.ts, client-frames.ts.
// The types are those of the schemas, and both documents are made from these (documents/); nothing is parsed with them while the
// service runs, only in tests.
import { z } from 'zod';

/** Client → server. A frame with `ref` gets {ref, data} or {ref, error: {code, message}}. */
export const CLIENT_FRAMES = {
  auth: 'auth',
  joinRoom: 'join-room',
  leaveRoom: 'leave-room',
  sendMessage: 'send-message',
  typing: 'typing',
  stopTyping: 'stop-typing',
} as const;
export type ClientFrameName = (typeof CLIENT_FRAMES)[keyof typeof CLIENT_FRAMES];

/** Server → client. */
export const SERVER_FRAMES = {
  ready: 'ready',
  receiveMessage: 'receive-message',
  recentMessages: 'recent-messages',
  userJoined: 'user-joined',
  userLeft: 'user-left',
  typing: 'typing',
  stopTyping: 'stop-typing',
  error: 'error',
  // Beyond the guide: how far a room is.
  heartbeat: 'heartbeat',
  // Beyond the guide: what the connection itself has to say.
  tokenExpiring: 'token-expiring',
  draining: 'draining',
  // Beyond the guide: one frame per further room event.
  roomCreated: 'room-created',
  roomDetailsChanged: 'room-details-changed',
  roomArchived: 'room-archived',
  memberInvited: 'member-invited',
  memberJoined: 'member-joined',
  memberLeft: 'member-left',
  // Beyond the guide: who is there, as changes.
  presence: 'presence',
} as const;
export type ServerFrameName = (typeof SERVER_FRAMES)[keyof typeof SERVER_FRAMES];

export type ClientFrame = { event: string; data?: unknown; ref?: string | number };
export type AnswerFrame =
  | { ref: string | number; data: object }
  | { ref: string | number; error: { code: string; message: string } };

/** Fields that mean the same wherever they stand. */
export const FIELDS = {
  roomId: z.string().describe('Id of the room.'),
  userId: z.string().describe('Id of the user who did it.'),
  username: z.string().describe('Name of that user as their token had it.'),
  version: z.int().min(0).describe('Number of the event in its room: 1, 2, 3 … without a gap.'),
  timestamp: z.iso.datetime().describe('When it happened: RFC 3339 in UTC.'),
  position: z
    .string()
    .regex(/^\d{1,5}-\d{1,15}$/)
    .describe(
      'Where the event lies in the log, `<partition>-<offset>`; a read with it in `x-min-position` has the event.',
    ),
  spaceId: z.string().describe('The space that the room belongs to.'),
} as const;

/** A message as REST and WebSocket show it. Times are RFC 3339 in UTC. */
export const MessageView = z
  .strictObject({
    id: z.string().describe('Id of the message.'),
    message: z.string().describe('The text as it was sent. Plain text: never to be put into a page as HTML.'),
    userId: FIELDS.userId,
    username: FIELDS.username,
    timestamp: FIELDS.timestamp,
    roomId: FIELDS.roomId,
    version: FIELDS.version,
    replyTo: z.string().nullable().describe('Id of the message that this one answers.'),
    originalTime: z.iso
      .datetime()
      .nullable()
      .describe('When an imported message was first said; null for messages born here.'),
    commandId: z
      .string()
      .describe("The sender's own id of the command, so that a client knows its own message when it comes back."),
  })
  .describe('Something a member said in a room.');
export type MessageView = z.output<typeof MessageView>;

/** A room as the REST API shows it. */
export const RoomView = z
  .strictObject({
    id: FIELDS.roomId,
    name: z.string(),
    description: z.string(),
    roomid: z.string().describe('The space, under the name that the integration guide gives it.'),
    spaceId: FIELDS.spaceId,
    isPrivate: z.boolean().describe('Whether joining needs an invitation, and others cannot see the room.'),
    ownerId: z.string().describe('Id of the user who made it.'),
    memberCount: z.int().min(0),
    archived: z.boolean().describe('Whether nothing more can happen in it.'),
    createdAt: z.iso.datetime().describe('RFC 3339 in UTC.'),
    version: z.int().min(1).describe('Version of the last event that this view knows.'),
  })
  .describe('A chatroom.');
export type RoomView = z.output<typeof RoomView>;

export const MemberView = z
  .strictObject({
    userId: z.string().describe('Id of the member.'),
    username: z.string().describe('Name of the member when they joined.'),
    role: z.enum(['owner', 'member']),
    joinedAt: z.iso.datetime().describe('RFC 3339 in UTC.'),
  })
  .describe('Somebody who may speak in a room.');
export type MemberView = z.output<typeof MemberView>;

export const PresentView = z
  .strictObject({
    userId: z.string().describe('Id of the user.'),
    username: z.string().describe('Name of that user as their token had it.'),
  })
  .describe('A user with a socket that has joined the room.');

/** Data of every frame that shows a room event other than a message. */
export const RoomEventData = z
  .strictObject({
    roomId: FIELDS.roomId,
    version: FIELDS.version,
    userId: FIELDS.userId,
    username: FIELDS.username,
    timestamp: FIELDS.timestamp,
  })
  .describe('What all events of a room but messages have in common.');
export type RoomEventData = z.output<typeof RoomEventData>;
