// POST /api/v1/chatroom/…: rooms and who is in them.
import Router from '@koa/router';
import type { Context, Middleware } from 'koa';
import { type Accepted, type CommandBody, type CreateRoom, subjectOf } from '../../schemas/commands.ts';
import {
  ChangeRoomRequest,
  CreateRoomRequest,
  InviteRequest,
  parseRequest,
  RoomRequest,
} from '../../schemas/requests.ts';
import type { RestAnswer } from '../../schemas/rest-operations.ts';
import { toTimestamp } from '../../schemas/views.ts';
import type { RoomView } from '../../schemas/wire.ts';
import { roomIdFor } from '../client/room-id.ts';
import { type Caller, callerOf, mustExecute, orProblem, type RouteDeps } from './caller.ts';

/** `before` is what every request passes first: authentication and the rate limit. */
export function createChatroomRoutes(before: Middleware[], deps: RouteDeps): Router {
  const router = new Router({ prefix: '/api/v1/chatroom' });
  router.use(...before);

  router.post('/create', async (context) => {
    const request = orProblem(parseRequest(CreateRoomRequest, context.request.body));
    const caller = callerOf(context, request, deps);
    const body: CreateRoom = {
      type: 'CreateRoom',
      roomId: roomIdFor({ userId: subjectOf(caller).userId, commandId: request.commandId }, deps.ids),
      spaceId: request.roomid,
      name: request.name,
      description: request.description ?? '',
      isPrivate: request.isPrivate ?? false,
    };
    const accepted = await mustExecute({ ...caller, body }, deps);
    context.status = 201;
    const chatroom = createdRoomView(caller, body, accepted);
    context.body = { chatroom, position: accepted.position } satisfies RestAnswer<'createRoom'>;
  });

  router.post('/join', async (context) => {
    const request = orProblem(parseRequest(RoomRequest, context.request.body));
    const body = { type: 'JoinRoom', roomId: request.chatroomId } as const;
    await answerChange(context, callerOf(context, request, deps), body, deps);
  });

  router.post('/leave', async (context) => {
    const request = orProblem(parseRequest(RoomRequest, context.request.body));
    const body = { type: 'LeaveRoom', roomId: request.chatroomId } as const;
    await answerChange(context, callerOf(context, request, deps), body, deps);
  });

  router.post('/invite', async (context) => {
    const request = orProblem(parseRequest(InviteRequest, context.request.body));
    const body = { type: 'InviteMember', roomId: request.chatroomId, userId: request.userId } as const;
    await answerChange(context, callerOf(context, request, deps), body, deps);
  });

  router.post('/update', async (context) => {
    const request = orProblem(parseRequest(ChangeRoomRequest, context.request.body));
    const { chatroomId: roomId, name, description } = request;
    const body = {
      type: 'ChangeRoomDetails',
      roomId,
      ...(name === undefined ? {} : { name }),
      ...(description === undefined ? {} : { description }),
    } as const;
    await answerChange(context, callerOf(context, request, deps), body, deps);
  });

  router.post('/archive', async (context) => {
    const request = orProblem(parseRequest(RoomRequest, context.request.body));
    const body = { type: 'ArchiveRoom', roomId: request.chatroomId } as const;
    await answerChange(context, callerOf(context, request, deps), body, deps);
  });

  return router;
}

type ChangeName = 'joinRoom' | 'leaveRoom' | 'inviteMember' | 'changeRoom' | 'archiveRoom';

/** `changed: false` says that there was nothing to do, which is no error. */
async function answerChange(context: Context, caller: Caller, body: CommandBody, deps: RouteDeps): Promise<void> {
  const { roomId, version, position, changed } = await mustExecute({ ...caller, body }, deps);
  context.body = { success: true, chatroomId: roomId, version, position, changed } satisfies RestAnswer<ChangeName>;
}

/** The room as it is right after its creation, also in the answer to a repeated request. */
function createdRoomView(caller: Caller, body: CreateRoom, accepted: Accepted): RoomView {
  return {
    id: accepted.roomId,
    name: body.name,
    description: body.description,
    roomid: body.spaceId,
    spaceId: body.spaceId,
    isPrivate: body.isPrivate,
    ownerId: subjectOf(caller).userId,
    memberCount: 1,
    archived: false,
    createdAt: toTimestamp(accepted.occurredAt),
    version: accepted.version,
  };
}
