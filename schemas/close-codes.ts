// Every close code a client can meet. `reconnect` tells whether coming back with the same token can help, `afterMs` how long to wait
// at least: then a random while more, longer from one failure to the next. A code that is not here (a broken network shows as
// 1006) is worth a reconnect. Codes 45xx are, 44xx are not. Codes are stable: they are never renamed and never change meaning.
export type CloseCode = { code: number; reconnect: boolean; afterMs: number; reason: string };

export const CLOSE_CODES = {
  draining: { code: 1001, reconnect: true, afterMs: 500, reason: 'the node is going away' },
  protocolError: { code: 1002, reconnect: false, afterMs: 0, reason: 'the frames break RFC 6455' },
  unsupportedData: { code: 1003, reconnect: false, afterMs: 0, reason: 'only text frames are understood' },
  invalidText: { code: 1007, reconnect: false, afterMs: 0, reason: 'a text is not valid UTF-8' },
  tooManyPieces: {
    code: 1008,
    reconnect: false,
    afterMs: 0,
    reason: 'a message in more than 1,024 fragments, or a frame in more than 4,096 TCP segments',
  },
  frameTooBig: { code: 1009, reconnect: false, afterMs: 0, reason: 'the message is larger than 64 KiB' },
  internal: { code: 1011, reconnect: true, afterMs: 1_000, reason: 'the service failed' },
  tokenInvalid: { code: 4401, reconnect: false, afterMs: 0, reason: 'the token is missing or not valid' },
  tokenExpired: { code: 4402, reconnect: false, afterMs: 0, reason: 'the token has expired: come back with a new one' },
  authenticationTimeout: { code: 4408, reconnect: false, afterMs: 0, reason: 'no valid token within 5 s' },
  tooManyBadFrames: { code: 4429, reconnect: false, afterMs: 0, reason: 'more than 20 wrong frames within 10 s' },
  tooManyControlFrames: {
    code: 4430,
    reconnect: false,
    afterMs: 0,
    reason: 'more than 250 pings and pongs within 25 s',
  },
  slowConsumer: { code: 4508, reconnect: true, afterMs: 1_000, reason: 'more than 4 MiB waited to be read' },
  heartbeatLost: { code: 4509, reconnect: true, afterMs: 0, reason: 'no sign of life for two pings' },
} as const satisfies Record<string, CloseCode>;

export type CloseName = keyof typeof CLOSE_CODES;
