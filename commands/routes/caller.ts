// Who asks for a command over REST, and how the answer leaves a route.
import type { Context } from 'koa';
import { identityOf } from '../../platform/authenticate.ts';
import type { Clock } from '../../platform/clock.ts';
import { Problem } from '../../platform/http-app.ts';
import type { Ids } from '../../platform/ids.ts';
import type { Accepted, Command } from '../../schemas/commands.ts';
import type { Actor } from '../../schemas/generated/events.ts';
import { isRejection, type Rejection } from '../../schemas/rejections.ts';
import type { CommandPort } from '../client/command-port.ts';

export type RouteDeps = { commands: CommandPort; ids: Ids; clock: Clock };

/** Everything of a command but what is wished. */
export type Caller = Omit<Command, 'body'>;

/** The bearer of the request's token, and whom they say to act for. A request without a commandId gets one of its own. */
export function callerOf(
  context: Context,
  request: { commandId?: string | undefined; onBehalfOf?: Actor | undefined },
  { ids, clock }: RouteDeps,
): Caller {
  const { userId, username, isOperator } = identityOf(context);
  return {
    actor: { userId, username },
    onBehalfOf: request.onBehalfOf ?? null,
    isOperator,
    commandId: request.commandId ?? ids.next(),
    correlationId: String(context.state.requestId),
    now: clock.now(),
  };
}

/** The acceptance. Throws the refusal as a Problem. */
export async function mustExecute(command: Command, { commands }: RouteDeps): Promise<Accepted> {
  return orProblem(await commands.execute(command));
}

/** The value, or the refusal thrown as a Problem. */
export function orProblem<Value extends object>(value: Value | Rejection): Value {
  if (!isRejection(value)) return value;
  throw new Problem(value.rejected, { detail: value.detail, retryAfterMs: value.retryAfterMs });
}
