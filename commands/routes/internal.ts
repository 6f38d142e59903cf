// POST /internal/v1/commands: where our other processes hand in commands, with the identity of users that they have checked.
// Never for the public: it asks for the service token, and the gateway does not pass it on.
import type { Middleware } from 'koa';
import { bearerToken } from '../../platform/auth.ts';
import { Problem } from '../../platform/http-app.ts';
import { isServiceToken, serviceToken } from '../../platform/service-token.ts';
import { parseRequest } from '../../schemas/requests.ts';
import type { CommandPort } from '../client/command-port.ts';
import { CommandsRequest, INTERNAL_COMMANDS_PATH, INTERNAL_COMMANDS_PURPOSE } from '../client/command-wire.ts';
import { orProblem } from './caller.ts';

export function internalCommandsRoute({ commands, secret }: { commands: CommandPort; secret: string }): Middleware {
  const expected = serviceToken(secret, INTERNAL_COMMANDS_PURPOSE);
  return async (context, next) => {
    if (context.path !== INTERNAL_COMMANDS_PATH) return next();
    if (context.method !== 'POST') throw new Problem('method_not_allowed');
    const token = bearerToken(context.get('authorization'));
    if (!isServiceToken(token, expected)) throw new Problem(token === undefined ? 'token_missing' : 'token_invalid');
    const request = orProblem(parseRequest(CommandsRequest, context.request.body));
    // Called one after the other in one turn: the commands of a room are taken in the order in which they stand here.
    context.body = { answers: await Promise.all(request.commands.map((command) => commands.execute(command))) };
  };
}
