// A running product to drive from outside, whichever way it runs. Both ways of running are held to one suite (../acceptance/).
import { signToken } from '../../../platform/auth.ts';
import type { Rest } from './rest.ts';
import type { RoleProcess } from './role-process.ts';

export type RoleName = 'commands' | 'read-api' | 'realtime' | 'projections';

export type Way = {
  readonly rest: Rest;
  /** Of the plain WebSocket, `ws://…`; socket.io is at the same host and port. */
  readonly socketUrl: string;
  readonly secret: string;
  /** Where each role's /health, /ready and /metrics are. */
  readonly origins: Readonly<Record<RoleName, string>>;
  /** The processes that run now. */
  processes(): readonly RoleProcess[];
  /** Stops the role in an orderly way (in one process: all of them) and starts it again on the same data. */
  restart(role: RoleName): Promise<void>;
  /** Kills it without a warning, and starts it again. */
  crash(role: RoleName): Promise<void>;
  /** Stops everything and removes the data; resolves with the exit code of every process. */
  close(): Promise<readonly number[]>;
};

export type OpenWay = () => Promise<Way>;

const TOKEN_SECONDS = 3_600;
let users = 0;

/** A user that no other test knows, with a token. */
export function newUser(
  way: Way,
  name: string,
  isOperator = false,
): { userId: string; username: string; token: string } {
  users += 1;
  const userId = `${name}-${process.pid}-${users}`;
  return {
    userId,
    username: name,
    token: signToken({ userId, username: name, isOperator }, way.secret, TOKEN_SECONDS),
  };
}
