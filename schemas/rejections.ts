// Every refusal and fault a caller can be told, with the HTTP status it has over REST. Over the WebSocket the same code stands in
// {ref, error: {code, message}}. Codes are stable: they are never renamed and never change meaning.
export const REJECTIONS = {
  malformed_json: { status: 400, title: 'The body is not valid JSON.' },
  invalid_request: { status: 400, title: 'A field is missing, unknown, or not of the documented form.' },
  message_empty: { status: 400, title: 'A message needs a text.' },
  message_too_long: { status: 400, title: 'The text is longer than 2,000 characters.' },
  message_control_character: { status: 400, title: 'The text holds a control character other than tab and newline.' },
  message_not_unicode: { status: 400, title: 'The text is not well-formed Unicode: it holds a lone surrogate.' },
  reply_to_unknown: { status: 400, title: 'replyTo must be the id of a message.' },
  body_too_large: { status: 413, title: 'The body is larger than 64 KiB.' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json in UTF-8.' },
  token_missing: { status: 401, title: 'A token is needed: Authorization: Bearer <token>.' },
  token_invalid: { status: 401, title: 'The token is not valid.' },
  token_expired: { status: 401, title: 'The token has expired.' },
  operator_only: { status: 403, title: 'Only an operator may do this.' },
  owner_only: { status: 403, title: 'Only the owner of the room may do this.' },
  not_a_member: { status: 403, title: 'Only members of the room may do this.' },
  not_invited: { status: 403, title: 'The room is private: an invitation is needed to join.' },
  not_found: { status: 404, title: 'There is nothing at this address.' },
  room_not_found: { status: 404, title: 'There is no such room.' },
  method_not_allowed: { status: 405, title: 'This address does not take that method.' },
  room_exists: { status: 409, title: 'A room with this id exists already.' },
  room_archived: { status: 409, title: 'The room is archived: nothing more can happen in it.' },
  room_full: { status: 409, title: 'The room has as many members as a room can have.' },
  version_ahead: { status: 409, title: 'The version to resume after is newer than the room.' },
  rate_limited: { status: 429, title: 'Too many requests of this user: wait as long as Retry-After says.' },
  too_many_rooms: { status: 429, title: 'This socket is joined to as many rooms as it can be.' },
  malformed_frame: { status: 400, title: 'The frame is not a JSON object {event, data, ref?}.' },
  unknown_event: { status: 400, title: 'There is no client event of this name.' },
  busy: { status: 503, title: 'More commands are waiting than can be taken: try again.' },
  log_unavailable: {
    status: 503,
    title: 'The log did not confirm in time. It may or may not hold the command: repeat it with the same commandId.',
  },
  partition_moving: {
    status: 503,
    title: 'The room is being taken over by another process. Nothing was done: try again.',
  },
  projection_behind: { status: 503, title: 'The read model has not reached that position yet: try again.' },
  unavailable: { status: 503, title: 'A part of the service that this needs cannot be reached: try again.' },
  internal: { status: 500, title: 'The service failed.' },
} as const satisfies Record<string, { status: number; title: string }>;

export type RejectionCode = keyof typeof REJECTIONS;

/** A refusal, as a value: decisions and routes return it, they do not throw it. `detail` is for people, never parsed. */
export type Rejection = { rejected: RejectionCode; detail?: string; retryAfterMs?: number };

export function reject(rejected: RejectionCode, detail?: string): Rejection {
  return detail === undefined ? { rejected } : { rejected, detail };
}

export function isRejection(value: object): value is Rejection {
  return 'rejected' in value;
}
