// How `npm run replay` ends: one exit code a class of reasons, and one line on stderr that says which.
import { CommanderError } from 'commander';
import { UnreachableServerError } from './open-resources.ts';

/**
 * `differences`: what was compared is not the same. `usage`: the command line, or what it names, is wrong. `unreachable`: a server is
 * away. `refused`: it cannot be done as things are. `fault`: what nobody has foreseen. None of the last four has changed anything.
 */
export const EXIT = {
  done: 0,
  differences: 1,
  usage: 2,
  unreachable: 3,
  refused: 4,
  fault: 70,
  interrupted: 130,
} as const;
export type Exit = (typeof EXIT)[keyof typeof EXIT];

/** The command line, or something that it names, is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'usage';
  readonly retryable = false;
}

/** It cannot be done as things are. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly code = 'refused';
  readonly retryable = false;
}

/** Faults that trying again later heals are of servers that are away; a bug or a broken installation has no such mark. */
export function toExit(error: unknown): { exit: Exit; line: string } {
  if (error instanceof CommanderError) return { exit: error.exitCode === 0 ? EXIT.done : EXIT.usage, line: '' };
  if (!(error instanceof Error)) return { exit: EXIT.fault, line: String(error) };
  const line = withCause(error);
  if (error instanceof UsageError) return { exit: EXIT.usage, line };
  if (error instanceof RefusedError) return { exit: EXIT.refused, line };
  if (error instanceof UnreachableServerError) return { exit: EXIT.unreachable, line };
  if (!('retryable' in error)) return { exit: EXIT.fault, line: error.stack ?? error.message };
  if ('code' in error && error.code === 'config') return { exit: EXIT.usage, line };
  return { exit: error.retryable === true ? EXIT.unreachable : EXIT.refused, line };
}

function withCause(error: Error): string {
  const cause = error.cause instanceof Error && error.cause.message !== '' ? ` (${error.cause.message})` : '';
  return `${error.message}${cause}`.replaceAll('\n', ' ');
}
