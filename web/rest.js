// The REST calls of the page.

/** A refusal with its stable code, or `unreachable` where there was no answer. */
export class ApiError extends Error {
  /** @param {string} code @param {string} detail @param {number} status */
  constructor(code, detail, status) {
    super(detail || code);
    this.name = 'ApiError';
    this.code = code;
    this.status = status;
  }
}

/** A demo token for that name. @param {string} username @returns {Promise<{token: string}>} */
export function askDemoToken(username) {
  return call('POST', '/api/v1/dev/token', { body: { username } });
}

/** The calls of one user. @param {string} token */
export function createApi(token) {
  return {
    /** @param {string} spaceId @param {string | undefined} cursor */
    listRooms(spaceId, cursor) {
      const query = new URLSearchParams({ spaceId, ...(cursor === undefined ? {} : { cursor }) });
      return call('GET', `/api/v1/chatroom/rooms?${query}`, { token });
    },
    /** @param {{roomid: string, name: string, isPrivate: boolean}} room */
    createRoom(room) {
      return call('POST', '/api/v1/chatroom/create', { token, body: { ...room, commandId: crypto.randomUUID() } });
    },
    /** @param {string} chatroomId */
    join(chatroomId) {
      return call('POST', '/api/v1/chatroom/join', { token, body: { chatroomId } });
    },
    /** @param {string} chatroomId */
    leave(chatroomId) {
      return call('POST', '/api/v1/chatroom/leave', { token, body: { chatroomId } });
    },
    /** @param {string} chatroomId @param {string} userId */
    invite(chatroomId, userId) {
      return call('POST', '/api/v1/chatroom/invite', { token, body: { chatroomId, userId } });
    },
    /** A page of history before that cursor, ascending. @param {string} chatroomId @param {string} before */
    listMessages(chatroomId, before) {
      const query = new URLSearchParams({ chatroomId, before });
      return call('GET', `/api/v1/messages?${query}`, { token });
    },
  };
}

/** @param {string} method @param {string} path @param {{token?: string, body?: object}} options */
async function call(method, path, { token, body }) {
  const headers = {
    ...(token ? { authorization: `Bearer ${token}` } : {}),
    ...(body ? { 'content-type': 'application/json' } : {}),
  };
  let response;
  try {
    response = await fetch(path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
  } catch {
    // fetch gives no reason to a page on purpose; there is none to pass on.
    throw new ApiError('unreachable', 'The server cannot be reached.', 0);
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw new ApiError(answer.code ?? `http_${response.status}`, answer.detail ?? answer.title ?? '', response.status);
}
