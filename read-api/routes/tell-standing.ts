// `x-position` and `x-lag-events`: every successful read says how far behind the log it is.
import type { Context } from 'koa';
import { type Standing, toLagEvents, toPositions } from '../standing.ts';

/** Sets the headers of the answer, each where it can be said. */
export function tellStanding(context: Pick<Context, 'set'>, standing: Standing): void {
  const positions = toPositions(standing);
  if (positions !== null) context.set('x-position', positions);
  const lagEvents = toLagEvents(standing);
  if (lagEvents !== null) context.set('x-lag-events', String(lagEvents));
}
