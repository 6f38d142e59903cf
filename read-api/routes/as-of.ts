// A room as it was: for whoever answers for it.
import Router from '@koa/router';
import type { Middleware } from 'koa';
import { identityOf } from '../../platform/authenticate.ts';
import type { Clock } from '../../platform/clock.ts';
import { Problem } from '../../platform/http-app.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { RoomParams } from '../../schemas/queries.ts';
import type { RestAnswer } from '../../schemas/rest-operations.ts';
import type { FreshQueries } from '../fresh-queries.ts';
import type { RoomAsOf } from '../queries/as-of.ts';
import { findRoom } from './access.ts';
import { toUserCursor } from './cursors.ts';
import { AsOfRequest, parse, queryOf } from './requests.ts';
import { tellStanding } from './tell-standing.ts';

export type AsOfRoutesDeps = {
  /** What every request of these routes passes first. */
  before: Middleware[];
  queries: FreshQueries;
  clock: Clock;
};

export function createAsOfRoutes({ before, queries, clock }: AsOfRoutesDeps): Router {
  const router = new Router({ prefix: '/api/v1/chatroom' });
  router.use(...before);
  let reading = 0;

  router.get('/:id/as-of', async (context) => {
    const { at, limit, before: messagesBefore, membersCursor: membersAfter } = parse(AsOfRequest, queryOf(context));
    const { id: roomId } = parse(RoomParams, { id: context.params.id });
    const caller = identityOf(context);
    const { room, standing } = await findRoom(queries, roomId, caller);
    // The owner also where they have left a public room.
    if (!caller.isOperator && caller.userId !== room.ownerId) throw new Problem('owner_only');
    // It folds all that ever happened in the room but messages, so it may cost as much as hundreds of other reads.
    if (reading >= LIMITS.asOfReads) throw new Problem('busy');
    reading += 1;
    try {
      const pages = { messages: limit, messagesBefore, members: LIMITS.pageMembers, membersAfter };
      const answer = await queries.roomAsOf({ roomId, at, nowMs: clock.now(), ...pages });
      if (answer === null) throw new Problem('room_not_found');
      if ('outside' in answer) throw new Problem('invalid_request', { detail: `at: ${answer.outside}` });
      tellStanding(context, standing);
      context.body = toBody(answer);
    } finally {
      reading -= 1;
    }
  });

  return router;
}

function toBody(then: RoomAsOf): RestAnswer<'showRoomAsOf'> {
  const { room, members, messages, version, at } = then;
  const [lastMember, oldest] = [members.at(-1), messages.at(0)];
  return {
    chatroom: room,
    members,
    ...(then.hasMoreMembers && lastMember ? { nextMembersCursor: toUserCursor(lastMember.userId) } : {}),
    messages,
    ...(then.hasMoreMessages && oldest ? { nextBefore: String(oldest.version) } : {}),
    version,
    at,
  };
}
