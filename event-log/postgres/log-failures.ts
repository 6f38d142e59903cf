// What a failed statement means to the port: certainly not done (LogUnavailableError), perhaps done (OutcomeUnknownError), or a
// fault of ours or of the installation that trying again does not heal, which goes on as it is.
import { AssertionError } from 'node:assert';
import pg from 'pg';
import { LogSettingsError, LogUnavailableError, OffsetOutOfRangeError, OutcomeUnknownError } from '../event-log.ts';

/**
 * Classes of SQLSTATE that pass: connection, serialization or deadlock, resources, object in use, operator intervention (also
 * the statement timeout), system error; and read-only transactions, which a server in failover answers with.
 */
const PASSING = ['08', '25', '40', '53', '55', '57', '58'];

const PORT_ERRORS = [LogUnavailableError, OffsetOutOfRangeError, LogSettingsError];

/**
 * The error of an append. An ERROR from the server means that the transaction was rolled back. FATAL and everything that is
 * no answer of the server (connection broken, no answer in time) may have come after the commit.
 */
export function toAppendFailure(error: unknown): unknown {
  if (error instanceof AssertionError) return error;
  if (error instanceof pg.DatabaseError && error.severity === 'ERROR') {
    return isPassing(error) ? new LogUnavailableError('the log refused the append', { cause: error }) : error;
  }
  return new OutcomeUnknownError('the append got no definite answer', { cause: error });
}

/** The error of everything else, for which an unknown outcome is as good as none. */
export function toLogFailure(error: unknown): unknown {
  if (PORT_ERRORS.some((known) => error instanceof known) || error instanceof AssertionError) return error;
  if (error instanceof pg.DatabaseError && !isPassing(error)) return error;
  return new LogUnavailableError('the log cannot be reached', { cause: error });
}

function isPassing(error: pg.DatabaseError): boolean {
  return PASSING.includes(error.code?.slice(0, 2) ?? '');
}
