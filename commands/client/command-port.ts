// Where commands go in. In one process it is the executor itself; from another process it is the client beside this file.
import type { Accepted, Command } from '../../schemas/commands.ts';
import type { Rejection } from '../../schemas/rejections.ts';

export type CommandPort = {
  /**
   * Resolves with the acceptance once the events are in the log, or with the refusal. Faults of the world are refusals too:
   * `busy` and `log_unavailable` (retryable; the latter's outcome is unknown, repeat it with the same commandId). Never rejects
   * but for bugs.
   */
  execute(command: Command): Promise<Accepted | Rejection>;
};
