// Made by `npm run generate` from schemas/close-codes.ts. Do not edit. Whether to come back after a close code, and how long to wait.
/** @type {Record<number, {reconnect: boolean, afterMs: number}>} */
export const CLOSE_CODES = {
  1001: { reconnect: true, afterMs: 500 },
  1002: { reconnect: false, afterMs: 0 },
  1003: { reconnect: false, afterMs: 0 },
  1007: { reconnect: false, afterMs: 0 },
  1008: { reconnect: false, afterMs: 0 },
  1009: { reconnect: false, afterMs: 0 },
  1011: { reconnect: true, afterMs: 1000 },
  4401: { reconnect: false, afterMs: 0 },
  4402: { reconnect: false, afterMs: 0 },
  4408: { reconnect: false, afterMs: 0 },
  4429: { reconnect: false, afterMs: 0 },
  4430: { reconnect: false, afterMs: 0 },
  4508: { reconnect: true, afterMs: 1000 },
  4509: { reconnect: true, afterMs: 0 },
};
