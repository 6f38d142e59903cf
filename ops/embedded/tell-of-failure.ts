// Why the process could not start, for the person at the screen: faults that have a sentence of their own show that sentence, and
// only what nobody has foreseen shows where in the code it happened.

export function tellOfFailure(error: unknown): void {
  process.stderr.write(`${describeFailure(error)}\n`);
}

export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return `Roomlog could not start: ${String(error)}`;
  // Every fault of ours says whether trying again can help; errors of libraries and bugs do not.
  if (!('retryable' in error)) return `Roomlog could not start: ${error.stack ?? error.message}`;
  const cause = error.cause instanceof Error && error.cause.message !== '' ? `\n  (${error.cause.message})` : '';
  return `Roomlog could not start: ${error.message}${cause}`;
}
