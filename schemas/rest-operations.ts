// The REST API: one entry an address and method, with what may be asked, what is answered, and the codes it is refused with. Routes
// answer with the type that stands here; the OpenAPI document is made from this table, and tests hold it against the routes that
// are mounted and against every answer that they see.
import { z } from 'zod';
import { CODES_PATH } from './codes-document.ts';
import { EXAMPLE_EVENT, EXAMPLE_MEMBER, EXAMPLE_MESSAGE, EXAMPLE_POSITION, EXAMPLE_ROOM } from './examples.ts';
import {
  AsOfQuery,
  EventStreamHeaders,
  EventStreamQuery,
  MembersQuery,
  MessagesQuery,
  PresenceQuery,
  RoomParams,
  RoomsQuery,
} from './queries.ts';
import { REJECTIONS } from './rejections.ts';
import {
  ActiveRequest,
  ChangeRoomRequest,
  CreateRoomRequest,
  DevTokenRequest,
  InviteRequest,
  RoomRequest,
  SendMessageRequest,
} from './requests.ts';
import {
  ActiveAnswer,
  AsOfAnswer,
  ChangeAnswer,
  CodesAnswer,
  CreateRoomAnswer,
  DevTokenAnswer,
  HealthAnswer,
  MembersAnswer,
  MessagesAnswer,
  PresenceAnswer,
  ReadyAnswer,
  RoomAnswer,
  RoomsAnswer,
  SendMessageAnswer,
} from './rest-answers.ts';
import { BODY_CODES, READ_CODES, type RestOperation, TOKEN_CODES, WRITE_CODES } from './rest-operation.ts';

const chatroomId = EXAMPLE_EVENT.roomId;
const commandId = 'my-command-1';
const STANDING = ['x-position', 'x-lag-events'] as const;

const CHANGED = {
  schema: ChangeAnswer,
  example: { success: true, chatroomId, version: 7, position: EXAMPLE_POSITION, changed: true },
} as const;

/** What the commands of a room have in common. */
const change = {
  method: 'POST',
  group: 'Rooms',
  needsToken: true,
  answers: { 200: CHANGED },
} as const;

export const REST_OPERATIONS = {
  createRoom: {
    method: 'POST',
    path: '/api/v1/chatroom/create',
    group: 'Rooms',
    does: 'Makes a room, with the caller as its owner and first member.',
    needsToken: true,
    body: { schema: CreateRoomRequest, example: { roomid: 'plaza', name: 'Lobby', commandId } },
    answers: {
      201: { schema: CreateRoomAnswer, example: { chatroom: EXAMPLE_ROOM, position: EXAMPLE_POSITION } },
    },
    codes: [...WRITE_CODES, 'room_exists'],
  },
  joinRoom: {
    ...change,
    path: '/api/v1/chatroom/join',
    does: 'Makes the caller a member of a room.',
    notes: 'A private room has to be one that the caller is invited to. Who is a member already stays one.',
    body: { schema: RoomRequest, example: { chatroomId } },
    codes: [...WRITE_CODES, 'room_not_found', 'not_invited', 'room_archived', 'room_full'],
  },
  leaveRoom: {
    ...change,
    path: '/api/v1/chatroom/leave',
    does: "Ends the caller's membership.",
    notes: 'The owner may leave too, and stays the owner on record.',
    body: { schema: RoomRequest, example: { chatroomId } },
    codes: [...WRITE_CODES, 'room_not_found', 'room_archived'],
  },
  inviteMember: {
    ...change,
    path: '/api/v1/chatroom/invite',
    does: 'Invites a user into a room; every member may.',
    body: { schema: InviteRequest, example: { chatroomId, userId: 'bob' } },
    codes: [...WRITE_CODES, 'room_not_found', 'not_a_member', 'room_archived'],
  },
  changeRoom: {
    ...change,
    path: '/api/v1/chatroom/update',
    does: 'Gives a room another name or description; for its owner and for operators.',
    body: { schema: ChangeRoomRequest, example: { chatroomId, name: 'Attic' } },
    codes: [...WRITE_CODES, 'room_not_found', 'owner_only', 'room_archived'],
  },
  archiveRoom: {
    ...change,
    path: '/api/v1/chatroom/archive',
    does: 'Archives a room: nothing more can happen in it; for its owner and for operators.',
    body: { schema: RoomRequest, example: { chatroomId } },
    codes: [...WRITE_CODES, 'room_not_found', 'owner_only'],
  },
  listRooms: {
    method: 'GET',
    path: '/api/v1/chatroom/rooms',
    group: 'Rooms',
    does: 'Lists the rooms of a space: public ones, and private ones that the caller is in; to operators all of them.',
    needsToken: true,
    waitsForPosition: true,
    query: RoomsQuery,
    answers: { 200: { schema: RoomsAnswer, example: { chatrooms: [EXAMPLE_ROOM] }, headers: STANDING } },
    codes: READ_CODES,
  },
  showRoom: {
    method: 'GET',
    path: '/api/v1/chatroom/{id}',
    group: 'Rooms',
    does: 'Shows a room. To somebody who is not in it a private room is not there.',
    needsToken: true,
    waitsForPosition: true,
    params: RoomParams,
    answers: { 200: { schema: RoomAnswer, example: { chatroom: EXAMPLE_ROOM }, headers: STANDING } },
    codes: [...READ_CODES, 'room_not_found'],
  },
  listMembers: {
    method: 'GET',
    path: '/api/v1/chatroom/members',
    group: 'Rooms',
    does: 'Lists the members of a room, and whether each was seen there within a minute.',
    needsToken: true,
    waitsForPosition: true,
    query: MembersQuery,
    answers: {
      200: { schema: MembersAnswer, example: { members: [{ ...EXAMPLE_MEMBER, active: true }] }, headers: STANDING },
    },
    codes: [...READ_CODES, 'room_not_found'],
  },
  showPresence: {
    method: 'GET',
    path: '/api/v1/chatroom/{id}/presence',
    group: 'Rooms',
    does: 'Shows who is present in a room: members with a socket or stream that has joined it; for its members and for operators.',
    needsToken: true,
    waitsForPosition: true,
    params: RoomParams,
    query: PresenceQuery,
    answers: {
      200: {
        schema: PresenceAnswer,
        example: { count: 1, members: [{ userId: EXAMPLE_EVENT.userId, username: EXAMPLE_EVENT.username }] },
        headers: STANDING,
      },
    },
    codes: [...READ_CODES, 'room_not_found', 'not_a_member'],
  },
  showRoomAsOf: {
    method: 'GET',
    path: '/api/v1/chatroom/{id}/as-of',
    group: 'Rooms',
    does: 'Shows a room with members and messages as it was at a version or a time; for its owner and for operators.',
    needsToken: true,
    waitsForPosition: true,
    params: RoomParams,
    query: AsOfQuery,
    answers: {
      200: {
        schema: AsOfAnswer,
        example: {
          chatroom: EXAMPLE_ROOM,
          members: [EXAMPLE_MEMBER],
          messages: [EXAMPLE_MESSAGE],
          version: 7,
          at: EXAMPLE_EVENT.timestamp,
        },
        headers: STANDING,
      },
    },
    codes: [...READ_CODES, 'room_not_found', 'owner_only'],
  },
  followRoom: {
    method: 'GET',
    path: '/api/v1/chatroom/{id}/events',
    group: 'Rooms',
    does: 'Streams what happens in a room as Server-Sent Events: the frames of the socket, with their versions as ids.',
    notes:
      'At the port of the sockets; at the REST port too where one process runs all roles. The names and data of the events are those of the frames from the service in the document of the socket.',
    needsToken: true,
    params: RoomParams,
    query: EventStreamQuery,
    headers: EventStreamHeaders,
    answers: {
      200: {
        schema: z.string(),
        mediaType: 'text/event-stream',
        example: `event: receive-message\ndata: ${JSON.stringify(EXAMPLE_MESSAGE)}\nid: ${EXAMPLE_MESSAGE.version}\n\n`,
      },
    },
    codes: [
      ...TOKEN_CODES,
      'invalid_request',
      'not_a_member',
      'room_not_found',
      'version_ahead',
      'rate_limited',
      'busy',
      'projection_behind',
      'unavailable',
      'internal',
    ],
  },
  sendMessage: {
    method: 'POST',
    path: '/api/v1/messages',
    group: 'Messages',
    does: 'Says something in a room. The answer means that it is in the log.',
    needsToken: true,
    body: { schema: SendMessageRequest, example: { chatroomId, message: 'Hello', commandId } },
    answers: {
      201: { schema: SendMessageAnswer, example: { message: EXAMPLE_MESSAGE, position: EXAMPLE_POSITION } },
    },
    codes: [
      ...WRITE_CODES,
      'message_empty',
      'message_too_long',
      'message_control_character',
      'message_not_unicode',
      'reply_to_unknown',
      'room_not_found',
      'not_a_member',
      'room_archived',
    ],
  },
  listMessages: {
    method: 'GET',
    path: '/api/v1/messages',
    group: 'Messages',
    does: 'Reads a page of the messages of a room; without `before` and `after` the newest one.',
    notes: 'For members and operators; where the service is set to public history, everybody may read public rooms.',
    needsToken: true,
    waitsForPosition: true,
    query: MessagesQuery,
    answers: {
      200: {
        schema: MessagesAnswer,
        example: { messages: [EXAMPLE_MESSAGE], nextCursor: '7' },
        headers: [...STANDING, 'x-cache'],
      },
    },
    codes: [...READ_CODES, 'room_not_found', 'not_a_member'],
  },
  markActive: {
    method: 'POST',
    path: '/api/v1/messages/active',
    group: 'Messages',
    does: 'Marks the caller as active in a room for 60 s.',
    needsToken: true,
    waitsForPosition: true,
    body: { schema: ActiveRequest, example: { chatroomId } },
    answers: { 200: { schema: ActiveAnswer, example: { chatroomId, active: true } } },
    codes: [...READ_CODES, ...BODY_CODES, 'room_not_found', 'not_a_member'],
  },
  giveDevToken: {
    method: 'POST',
    path: '/api/v1/dev/token',
    group: 'Running',
    does: 'Gives a demo user a token, good for a day.',
    notes:
      'Only where one process runs all roles and made its token secret itself, and only to callers on the same machine.',
    needsToken: false,
    body: { schema: DevTokenRequest, example: { username: 'alice' } },
    answers: {
      201: {
        schema: DevTokenAnswer,
        example: { token: 'eyJhbGciOi…', userId: 'alice', username: 'alice', expiresAt: '2026-01-03T03:04:05.678Z' },
      },
    },
    codes: [...BODY_CODES, 'rate_limited', 'not_found', 'internal'],
  },
  health: {
    method: 'GET',
    path: '/health',
    group: 'Running',
    does: 'Says that the process is there. Every port of every role answers it.',
    needsToken: false,
    answers: { 200: { schema: HealthAnswer, example: { status: 'ok', role: 'commands' } } },
    codes: [],
  },
  ready: {
    method: 'GET',
    path: '/ready',
    group: 'Running',
    does: 'Says of everything that the role needs whether it can be used; 503 while something cannot.',
    needsToken: false,
    answers: {
      200: {
        schema: ReadyAnswer,
        example: { status: 'ready', role: 'commands', checks: { 'command log': { ok: true } } },
      },
      503: {
        schema: ReadyAnswer,
        example: { status: 'not ready', role: 'commands', checks: { 'command log': { ok: false, error: 'gone' } } },
      },
    },
    codes: [],
  },
  metrics: {
    method: 'GET',
    path: '/metrics',
    group: 'Running',
    does: 'The metrics of the process, as Prometheus reads them.',
    needsToken: false,
    answers: {
      200: {
        schema: z.string(),
        mediaType: 'text/plain',
        example: '# HELP roomlog_read_newest_pages_total Newest pages that were read.',
      },
    },
    codes: [],
  },
  openApi: {
    method: 'GET',
    path: '/api/v1/openapi.json',
    group: 'Documents',
    does: 'This API as an OpenAPI document.',
    needsToken: false,
    answers: { 200: { schema: z.looseObject({}), example: { openapi: '3.1.1' }, headers: ['ETag'] } },
    codes: [],
  },
  asyncApi: {
    method: 'GET',
    path: '/api/v1/asyncapi.json',
    group: 'Documents',
    does: 'The protocol of the socket as an AsyncAPI document. The port of the sockets has it too.',
    needsToken: false,
    answers: { 200: { schema: z.looseObject({}), example: { asyncapi: '3.0.0' }, headers: ['ETag'] } },
    codes: [],
  },
  showCodes: {
    method: 'GET',
    path: CODES_PATH,
    group: 'Documents',
    does: 'Every close code and every error code: whether to come back or to try again, and how long to wait.',
    notes: 'The port of the sockets has it too.',
    needsToken: false,
    answers: {
      200: {
        schema: CodesAnswer,
        example: {
          closeCodes: { 1001: { name: 'draining', reconnect: true, afterMs: 500, reason: 'the node is going away' } },
          errorCodes: { not_a_member: REJECTIONS.not_a_member },
        },
        headers: ['ETag'],
      },
    },
    codes: [],
  },
} as const satisfies Record<string, RestOperation>;

export type RestOperationName = keyof typeof REST_OPERATIONS;

type AnswersOf<Name extends RestOperationName> = (typeof REST_OPERATIONS)[Name]['answers'];
type AnswerEntryOf<Answers> = Answers[keyof Answers];

/** What the operation answers with where it is not refused. */
export type RestAnswer<Name extends RestOperationName> = z.output<
  Extract<AnswerEntryOf<AnswersOf<Name>>, { schema: z.ZodType }>['schema']
>;
