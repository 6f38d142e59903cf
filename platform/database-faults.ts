// What a failed statement means to whoever has to go on: PostgreSQL is away or overloaded and it is worth trying again, or the
// data itself can never be stored, or (everything else) it is a bug or a broken installation that trying again does not heal.
import { AssertionError } from 'node:assert';

/** PostgreSQL cannot be reached or cannot answer now. Nothing is known of the statement that was under way. */
export class DatabaseUnavailableError extends Error {
  override readonly name = 'DatabaseUnavailableError';
  readonly code = 'database_unavailable';
  readonly retryable = true;
}

/**
 * Classes of SQLSTATE that pass: connection, transaction state (a server in failover is read-only), serialization and deadlock,
 * resources, object in use, operator intervention (also the statement timeout), system error.
 */
const PASSING_CLASSES = ['08', '25', '40', '53', '55', '57', '58'];
/** Data exceptions and constraint violations: the same values fail again whenever they are tried. */
const DATA_CLASSES = ['22', '23'];
/** Bugs of ours, which must not look like a database that is away. */
const BUGS = [AssertionError, TypeError, RangeError, ReferenceError, SyntaxError];

/** The error as whoever retries wants it: DatabaseUnavailableError where trying again can help, else the error itself. */
export function toDatabaseFault(error: unknown): unknown {
  if (BUGS.some((bug) => error instanceof bug)) return error;
  if (typeof error === 'object' && error !== null && 'retryable' in error) return error;
  const sqlState = sqlStateOf(error);
  if (sqlState !== undefined && !PASSING_CLASSES.includes(sqlState.slice(0, 2))) return error;
  return new DatabaseUnavailableError('PostgreSQL cannot be reached', { cause: error });
}

/** Whether PostgreSQL refused the values themselves. */
export function isDataError(error: unknown): boolean {
  return DATA_CLASSES.includes(sqlStateOf(error)?.slice(0, 2) ?? '');
}

/** The five characters of SQLSTATE, where the server has answered at all. Node's own codes (ECONNRESET) are not of that form. */
function sqlStateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('severity' in error)) return undefined;
  return typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined;
}
