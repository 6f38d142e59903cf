// `x-min-position`: a reader that has just written sends the position it was told, and sees its own write.
import type { Middleware } from 'koa';
import { Problem } from '../../platform/http-app.ts';
import { parsePosition } from '../../schemas/commands.ts';
import type { ReadMetrics } from '../metrics.ts';
import type { PositionWaiter } from '../position-waiter.ts';

export const MIN_POSITION = 'x-min-position';

/** Lets the request go on once history has the position, else ends it with projection_behind; malformed: invalid_request. */
export function waitForPosition(positions: PositionWaiter, metrics: ReadMetrics): Middleware {
  return async (context, next) => {
    const given = context.get(MIN_POSITION);
    if (given === '') return next();
    const position = parsePosition(given);
    if (position === null) throw new Problem('invalid_request', { detail: `${MIN_POSITION}: must be a position` });
    const outcome = await positions.wait(position);
    metrics.waited(outcome === 'reached');
    switch (outcome) {
      case 'reached':
        return next();
      case 'behind':
        throw new Problem('projection_behind');
      case 'full':
        throw new Problem('busy');
      case 'unknown':
        throw new Problem('invalid_request', { detail: `${MIN_POSITION}: the log has no such partition` });
    }
  };
}
