// The mark that every fault of the world carries in this code: whether trying again can help. What has
// no such mark is a bug, or a broken installation.

export function isRetryable(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === true;
}
