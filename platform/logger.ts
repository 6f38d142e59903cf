// JSON lines. The message is a constant phrase, the facts are fields; tokens and message texts are never logged.
import pino from 'pino';

export type Logger = pino.Logger;

/** A logger for one role; to stderr where stdout is for people. `level` is pino's: error = someone must act, warn = degraded and self-healing, info = lifecycle. */
export function createLogger(role: string, level: string, to: 'stdout' | 'stderr' = 'stdout'): Logger {
  const options = {
    level,
    base: { role },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: ['token', 'authorization', '*.token'],
    serializers: { err: errorFields },
  };
  // Synchronous: the last words before an exit arrive, and a reader that has gone cannot keep the process from ending (pino's
  // asynchronous destination writes what is left on exit, and tries that for ever where the pipe is broken).
  return pino(options, pino.destination({ dest: to === 'stdout' ? 1 : 2, sync: true }));
}

/** As pino has it, less the client that pg hangs onto errors of idle connections: hundreds of lines that say nothing of the error. */
function errorFields(error: Error): object {
  const { client: _client, ...fields } = pino.stdSerializers.err(error);
  return fields;
}
