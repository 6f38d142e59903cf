// Every WebSocket close code the service uses. `reconnect` tells a client whether coming back can help, `afterMs` how long to
// wait at least (add jitter). Codes 45xx are worth a reconnect with the same token, 44xx are not.
export const CLOSE_CODES = {
  draining: { code: 1001, reconnect: true, afterMs: 500, reason: 'the node is going away' },
  unsupportedData: { code: 1003, reconnect: false, afterMs: 0, reason: 'only text frames are understood' },
  frameTooBig: { code: 1009, reconnect: false, afterMs: 0, reason: 'the frame is larger than 64 KiB' },
  tokenInvalid: { code: 4401, reconnect: false, afterMs: 0, reason: 'the token is missing or not valid' },
  tokenExpired: { code: 4402, reconnect: false, afterMs: 0, reason: 'the token has expired: get a new one' },
  authenticationTimeout: { code: 4408, reconnect: false, afterMs: 0, reason: 'no valid token within 5 s' },
  tooManyBadFrames: { code: 4429, reconnect: false, afterMs: 0, reason: 'too many frames that are not understood' },
  slowConsumer: { code: 4508, reconnect: true, afterMs: 1_000, reason: 'the socket did not read fast enough' },
  heartbeatLost: { code: 4509, reconnect: true, afterMs: 0, reason: 'no answer to two pings' },
  internal: { code: 1011, reconnect: true, afterMs: 1_000, reason: 'the service failed' },
} as const satisfies Record<string, { code: number; reconnect: boolean; afterMs: number; reason: string }>;

export type CloseName = keyof typeof CLOSE_CODES;
