// Rooms and their members.
import Router from '@koa/router';
import type { Middleware } from 'koa';
import { identityOf } from '../../platform/authenticate.ts';
import { NoQuery, RoomParams } from '../../schemas/queries.ts';
import type { RestAnswer } from '../../schemas/rest-operations.ts';
import type { ActiveMarks } from '../active-marks.ts';
import type { FreshQueries } from '../fresh-queries.ts';
import type { PresenceReader } from '../presence-reader.ts';
import { findRoom, findRoomOfMember } from './access.ts';
import { toRoomCursor, toUserCursor } from './cursors.ts';
import { MembersQuery, PresenceQuery, parse, queryOf, RoomsQuery } from './requests.ts';
import { tellStanding } from './tell-standing.ts';

export type RoomRoutesDeps = {
  /** What every request of these routes passes first. */
  before: Middleware[];
  queries: FreshQueries;
  active: ActiveMarks;
  presence: PresenceReader;
};

export function createRoomRoutes({ before, queries, active, presence }: RoomRoutesDeps): Router {
  const router = new Router({ prefix: '/api/v1/chatroom' });
  router.use(...before);

  router.get('/rooms', async (context) => {
    const { spaceId, cursor, limit } = parse(RoomsQuery, queryOf(context));
    const caller = identityOf(context);
    const userId = caller.isOperator ? null : caller.userId;
    const { rooms, next, standing } = await queries.roomPage({ spaceId, userId, after: cursor ?? null, limit });
    tellStanding(context, standing);
    const nextCursor = next === null ? {} : { nextCursor: toRoomCursor(next) };
    context.body = { chatrooms: rooms, ...nextCursor } satisfies RestAnswer<'listRooms'>;
  });

  router.get('/members', async (context) => {
    const { chatroomId, cursor, limit } = parse(MembersQuery, queryOf(context));
    const { room, standing } = await findRoom(queries, chatroomId, identityOf(context));
    const [page, activeIds] = await Promise.all([
      queries.memberPage({ room, afterUserId: cursor ?? '', limit }),
      active.of(room.id),
    ]);
    const last = page.members.at(-1);
    tellStanding(context, standing);
    context.body = {
      members: page.members.map((member) => ({ ...member, active: activeIds.has(member.userId) })),
      ...(page.hasMore && last ? { nextCursor: toUserCursor(last.userId) } : {}),
    } satisfies RestAnswer<'listMembers'>;
  });

  router.get('/:id/presence', async (context) => {
    const { cursor, limit } = parse(PresenceQuery, queryOf(context));
    const { id } = parse(RoomParams, { id: context.params.id });
    const { room, standing } = await findRoomOfMember(queries, id, identityOf(context));
    const { count, members, hasMore } = await presence.page(room.id, cursor ?? '', limit);
    const last = members.at(-1);
    tellStanding(context, standing);
    const nextCursor = hasMore && last ? { nextCursor: toUserCursor(last.userId) } : {};
    context.body = { count, members, ...nextCursor } satisfies RestAnswer<'showPresence'>;
  });

  router.get('/:id', async (context) => {
    parse(NoQuery, queryOf(context));
    const { id } = parse(RoomParams, { id: context.params.id });
    const { room, standing } = await findRoom(queries, id, identityOf(context));
    tellStanding(context, standing);
    context.body = { chatroom: room } satisfies RestAnswer<'showRoom'>;
  });

  return router;
}
