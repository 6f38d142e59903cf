// Why the process could not go on, for the person at the screen: faults that have a sentence of their own show that sentence, and
// only what nobody has foreseen shows where in the code it happened.

/**
 * For a role in a process of its own: what nobody caught, while starting or later, ends the process with exit code 1, and why is
 * said as below. Call it before anything else.
 */
export function failInSentences(): void {
  process.on('uncaughtException', (error) => {
    tellOfFailure(error);
    process.exit(1);
  });
}

export function tellOfFailure(error: unknown): void {
  process.stderr.write(`${describeFailure(error)}\n`);
}

export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return `Roomlog has to end: ${String(error)}`;
  // Every fault of ours says whether trying again can help; errors of libraries and bugs do not.
  if (!('retryable' in error)) return `Roomlog has to end: ${error.stack ?? error.message}`;
  const cause = error.cause instanceof Error && error.cause.message !== '' ? `\n  (${error.cause.message})` : '';
  return `Roomlog has to end: ${error.message}${cause}`;
}
