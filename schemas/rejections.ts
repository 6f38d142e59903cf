// Every refusal and fault a caller can be told, with the HTTP status it has over REST. Over the WebSocket the same code stands in
// {ref, error: {code, message}}. Codes are stable: they are never renamed and never change meaning.
//
// `retry` tells whether the same request, with the same commandId, can succeed without the caller changing anything; `afterMs` how
// long to wait at least where the answer itself does not say it (`Retry-After`, `retryAfterMs`). Wait longer from one failure to
// the next, and add a random while. Where it is false something has to change first: the request, the token, or the room.
export type RejectionRule = { status: number; retry: boolean; afterMs: number; title: string };

const NO = { retry: false, afterMs: 0 } as const;
const SOON = { retry: true, afterMs: 1_000 } as const;

export const REJECTIONS = {
  malformed_json: { status: 400, ...NO, title: 'The body is not valid JSON.' },
  invalid_request: { status: 400, ...NO, title: 'A field is missing, unknown, or not of the documented form.' },
  message_empty: { status: 400, ...NO, title: 'A message needs a text.' },
  message_too_long: { status: 400, ...NO, title: 'The text is longer than 2,000 characters.' },
  message_control_character: {
    status: 400,
    ...NO,
    title: 'The text holds a control character other than tab and newline.',
  },
  message_not_unicode: { status: 400, ...NO, title: 'The text is not well-formed Unicode: it holds a lone surrogate.' },
  reply_to_unknown: { status: 400, ...NO, title: 'replyTo must be the id of a message.' },
  body_too_large: { status: 413, ...NO, title: 'The body is larger than 64 KiB.' },
  unsupported_media_type: { status: 415, ...NO, title: 'The body must be application/json in UTF-8.' },
  token_missing: { status: 401, ...NO, title: 'A token is needed: Authorization: Bearer <token>.' },
  token_invalid: { status: 401, ...NO, title: 'The token is not valid.' },
  token_expired: { status: 401, ...NO, title: 'The token has expired.' },
  token_of_another_user: { status: 403, ...NO, title: 'A fresh token must be of the same user as the socket.' },
  operator_only: { status: 403, ...NO, title: 'Only an operator may do this.' },
  owner_only: { status: 403, ...NO, title: 'Only the owner of the room may do this.' },
  not_a_member: { status: 403, ...NO, title: 'Only members of the room may do this.' },
  not_invited: { status: 403, ...NO, title: 'The room is private: an invitation is needed to join.' },
  not_found: { status: 404, ...NO, title: 'There is nothing at this address.' },
  room_not_found: { status: 404, ...NO, title: 'There is no such room.' },
  method_not_allowed: { status: 405, ...NO, title: 'This address does not take that method.' },
  room_exists: { status: 409, ...NO, title: 'A room with this id exists already.' },
  room_archived: { status: 409, ...NO, title: 'The room is archived: nothing more can happen in it.' },
  room_full: { status: 409, ...NO, title: 'The room has as many members as a room can have.' },
  version_ahead: { status: 409, ...NO, title: 'The version to resume after is newer than the room.' },
  rate_limited: { status: 429, ...SOON, title: 'Too many requests of this user: wait as long as Retry-After says.' },
  too_many_rooms: { status: 429, ...NO, title: 'This socket is joined to as many rooms as it can be.' },
  malformed_frame: { status: 400, ...NO, title: 'The frame is not a JSON object {event, data, ref?}.' },
  unknown_event: { status: 400, ...NO, title: 'There is no client event of this name.' },
  busy: { status: 503, ...SOON, title: 'More commands are waiting than can be taken: try again.' },
  log_unavailable: {
    status: 503,
    ...SOON,
    title: 'The log did not confirm in time. It may or may not hold the command: repeat it with the same commandId.',
  },
  partition_moving: {
    status: 503,
    ...SOON,
    title: 'The room is being taken over by another process. Nothing was done: try again.',
  },
  projection_behind: { status: 503, ...SOON, title: 'The read model has not reached that position yet: try again.' },
  unavailable: { status: 503, ...SOON, title: 'A part of the service that this needs cannot be reached: try again.' },
  internal: { status: 500, ...SOON, title: 'The service failed.' },
} as const satisfies Record<string, RejectionRule>;

export type RejectionCode = keyof typeof REJECTIONS;

/** A refusal, as a value: decisions and routes return it, they do not throw it. `detail` is for people, never parsed. */
export type Rejection = { rejected: RejectionCode; detail?: string; retryAfterMs?: number };

export function reject(rejected: RejectionCode, detail?: string): Rejection {
  return detail === undefined ? { rejected } : { rejected, detail };
}

export function isRejection(value: object): value is Rejection {
  return 'rejected' in value;
}
