// The history of a room, page by page, and the mark of being active in it.
import Router from '@koa/router';
import type { Context, Middleware } from 'koa';
import { identityOf } from '../../platform/authenticate.ts';
import { MessagesQuery } from '../../schemas/queries.ts';
import { ActiveRequest } from '../../schemas/requests.ts';
import type { RestAnswer } from '../../schemas/rest-operations.ts';
import type { MessageView } from '../../schemas/wire.ts';
import type { ActiveMarks } from '../active-marks.ts';
import type { FreshQueries } from '../fresh-queries.ts';
import type { HotRooms } from '../hot-rooms.ts';
import type { ReadMetrics } from '../metrics.ts';
import type { PageRange } from '../queries/message-pages.ts';
import { type AccessRules, findReadableRoom } from './access.ts';
import { MIN_POSITION } from './min-position.ts';
import { parse, queryOf } from './requests.ts';
import { tellStanding } from './tell-standing.ts';

export type MessageRoutesDeps = {
  /** What every request of these routes passes first. */
  before: Middleware[];
  queries: FreshQueries;
  hotRooms: HotRooms;
  active: ActiveMarks;
  rules: AccessRules;
  metrics: ReadMetrics;
};

type Page = { messages: MessageView[]; hasMore: boolean };

export function createMessageRoutes(deps: MessageRoutesDeps): Router {
  const router = new Router({ prefix: '/api/v1/messages' });
  router.use(...deps.before);

  router.get('/', async (context) => {
    const { chatroomId, before, after, limit } = parse(MessagesQuery, queryOf(context));
    if (before === undefined && after === undefined) {
      context.body = toBody(await newestPage(deps, context, chatroomId, limit), false);
      return;
    }
    const range: PageRange = after === undefined ? { before: before ?? 0 } : { after };
    const { room, standing } = await findReadableRoom(deps.queries, chatroomId, identityOf(context), deps.rules);
    tellStanding(context, standing);
    context.body = toBody(await deps.queries.messagePage(room.id, range, limit), after !== undefined);
  });

  router.post('/active', async (context) => {
    const { chatroomId } = parse(ActiveRequest, context.request.body);
    const caller = identityOf(context);
    const { room } = await findReadableRoom(deps.queries, chatroomId, caller, { publicHistory: false });
    await deps.active.mark(room.id, caller.userId);
    context.body = { chatroomId: room.id, active: true } satisfies RestAnswer<'markActive'>;
  });

  return router;
}

/**
 * The newest page: from the hot cache where it has the room and knows the caller as a member, without asking PostgreSQL at all.
 * A reader that waits for a position has PostgreSQL's, which is the one that is known to have it.
 */
async function newestPage(deps: MessageRoutesDeps, context: Context, roomId: string, limit: number): Promise<Page> {
  const caller = identityOf(context);
  const isCacheAsked = context.get(MIN_POSITION) === '';
  const hot = isCacheAsked ? await deps.hotRooms.look(roomId, caller.userId, limit) : { page: null, isMember: null };
  const isKnownReader = hot.isMember === true || caller.isOperator;
  const found =
    hot.page !== null && isKnownReader ? null : await findReadableRoom(deps.queries, roomId, caller, deps.rules);
  if (hot.page !== null) {
    deps.metrics.cacheHit();
    context.set('x-cache', 'hit');
    tellStanding(context, hot.page.standing);
    return hot.page;
  }
  deps.metrics.cacheMiss();
  context.set('x-cache', 'miss');
  if (found !== null) {
    deps.hotRooms.refill(roomId, found.partition);
    tellStanding(context, found.standing);
  }
  return deps.queries.messagePage(roomId, { newest: true }, limit);
}

/** The cursor is the version to give as `before`, or as `after` where the page was asked for forwards. */
function toBody({ messages, hasMore }: Page, isForwards: boolean): RestAnswer<'listMessages'> {
  const end = isForwards ? messages.at(-1) : messages.at(0);
  return { messages, ...(hasMore && end ? { nextCursor: String(end.version) } : {}) };
}
