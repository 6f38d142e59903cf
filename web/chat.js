// The page: logs a tab in, lists rooms, opens one. What a room shows is in open-room.js.

import { Connection } from './connection.js';
import { avatar } from './message-list.js';
import { OpenRoom } from './open-room.js';
import { askDemoToken, createApi } from './rest.js';

const DEFAULT_SPACE = 'lobby';
const ROOMS_EVERY_MS = 15_000;
const NOTICE_MS = 6_000;

const element = (id) => document.getElementById(id);
/** Per tab: two tabs can be two users. */
const kept = {
  get session() {
    return JSON.parse(sessionStorage.getItem('session') ?? 'null');
  },
  set session(session) {
    sessionStorage.setItem('session', JSON.stringify(session));
  },
  get space() {
    return sessionStorage.getItem('space') ?? DEFAULT_SPACE;
  },
  set space(spaceId) {
    sessionStorage.setItem('space', spaceId);
  },
  get roomId() {
    return sessionStorage.getItem('roomId');
  },
  set roomId(roomId) {
    if (roomId === null) sessionStorage.removeItem('roomId');
    else sessionStorage.setItem('roomId', roomId);
  },
};

/** What belongs to the user who is logged in; null before. @type {ReturnType<typeof start> | null} */
let running = null;
let noticeTimer = 0;

const session = kept.session;
if (session) running = start(session);
else showLogin();
listenToLogin();
listenToApp();

/** @param {{token: string, userId: string, username: string}} user */
function start(user) {
  element('login').hidden = true;
  element('app').hidden = false;
  element('my-name').textContent = user.username;
  element('my-avatar').replaceWith(Object.assign(avatar(user.userId, user.username), { id: 'my-avatar' }));
  element('space').value = kept.space;
  document.title = `${user.username} · Roomlog`;

  const api = createApi(user.token);
  const connection = new Connection({
    url: webSocketUrl(),
    token: user.token,
    onFrame: (event, data) => running?.room?.onFrame(event, data),
    onConnected: () => {
      running?.room?.onConnected();
      void showRooms();
    },
    onState: (state, code) => showConnection(state, code),
  });
  const timer = setInterval(() => document.hidden || void showRooms(), ROOMS_EVERY_MS);
  // After this function has returned, so that the first frame finds `running` set.
  queueMicrotask(() => {
    connection.open();
    void showRooms();
    const roomId = linkedRoomId() ?? kept.roomId;
    if (roomId !== null) void openRoom({ id: roomId });
  });
  return { user, api, connection, timer, room: /** @type {OpenRoom | null} */ (null) };
}

function stop() {
  running?.connection.close();
  clearInterval(running?.timer);
  running?.room?.close();
  running = null;
  sessionStorage.clear();
  showLogin();
}

function showLogin(message = '') {
  element('app').hidden = true;
  element('login').hidden = false;
  element('login-error').textContent = message;
  document.title = 'Roomlog';
}

function listenToLogin() {
  for (const person of document.querySelectorAll('[data-username]')) {
    person.prepend(avatar(person.dataset.username, person.dataset.username));
    person.addEventListener('click', () => void logIn(person.dataset.username));
  }
  element('login-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const token = element('token').value.trim();
    const username = element('username').value.trim();
    if (token !== '') enter({ token, ...claimsOf(token) });
    else if (username !== '') void logIn(username);
  });
}

async function logIn(username) {
  element('login-error').textContent = '';
  try {
    enter({ token: (await askDemoToken(username)).token, userId: username, username });
  } catch (error) {
    if (error.status !== 404) {
      element('login-error').textContent = describe(error);
      return;
    }
    element('username-field').hidden = true;
    document.querySelector('.people').hidden = true;
    element('token-field').hidden = false;
    element('token').focus();
  }
}

function enter(user) {
  kept.session = user;
  running = start(user);
}

/** Who the token says it speaks for; the server checks it, the page only needs the name. */
function claimsOf(token) {
  try {
    const base64 = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    const userId = String(claims.sub ?? claims.userId ?? claims.id ?? '');
    return { userId, username: String(claims.username ?? claims.name ?? userId) };
  } catch {
    // Not a token at all: the server will say so when it is used.
    return { userId: '', username: 'unknown' };
  }
}

function webSocketUrl() {
  const given = new URLSearchParams(location.search).get('ws');
  return given ?? `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.hostname}:3002`;
}

/** The room that the page's address names, as invitations to private rooms do. */
function linkedRoomId() {
  return new URLSearchParams(location.hash.slice(1)).get('room');
}

function listenToApp() {
  window.addEventListener('hashchange', () => {
    const roomId = linkedRoomId();
    if (roomId !== null) void openRoom({ id: roomId });
  });
  element('sign-out').addEventListener('click', stop);
  element('space-form').addEventListener('submit', (event) => event.preventDefault());
  element('space').addEventListener('change', () => {
    kept.space = element('space').value.trim() || DEFAULT_SPACE;
    element('space').value = kept.space;
    void showRooms();
  });
  element('create-form').addEventListener('submit', (event) => {
    event.preventDefault();
    void createRoom();
  });
  element('more-rooms').addEventListener('click', (event) => void showRooms(event.target.dataset.cursor));
  element('back').addEventListener('click', () => {
    element('app').dataset.view = 'rooms';
  });
  element('leave').addEventListener('click', () => void leaveRoom());
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) return;
    running?.connection.hurry();
    void showRooms();
  });
  window.addEventListener('online', () => running?.connection.hurry());
}

function showConnection(state, code) {
  const texts = { connecting: 'Connecting…', connected: 'Connected', waiting: 'Reconnecting…', ended: 'Disconnected' };
  element('connection').textContent = texts[state];
  element('connection').dataset.state = state;
  if (state !== 'ended' || running === null) return;
  if (code === 4401 || code === 4402) {
    stop();
    element('login-error').textContent =
      code === 4402 ? 'The session has expired. Come in again.' : 'The server did not accept the token.';
  } else {
    notify(`The server ended the connection (${code}). Load the page again to come back.`);
  }
}

/** Shows the rooms of the space; with a cursor, adds the next page. Without a connection the list stays as it was. */
async function showRooms(cursor) {
  if (running === null) return;
  let page;
  try {
    page = await running.api.listRooms(kept.space, cursor);
  } catch (error) {
    if (error.code !== 'unreachable') notify(describe(error));
    return;
  }
  const list = element('rooms');
  const shown = page.chatrooms.map((room) => roomItem(room));
  if (cursor === undefined) list.replaceChildren(...shown);
  else list.append(...shown);
  element('rooms-empty').hidden = list.childElementCount > 0;
  element('more-rooms').hidden = page.nextCursor === undefined;
  element('more-rooms').dataset.cursor = page.nextCursor ?? '';
  markOpenRoom();
  const open = page.chatrooms.find((room) => room.id === running?.room?.id);
  if (open) running?.room?.onDetails(open);
}

function roomItem(room) {
  const name = Object.assign(document.createElement('span'), { className: 'room-name', textContent: room.name });
  const facts = Object.assign(document.createElement('span'), {
    className: 'quiet',
    textContent: room.isPrivate ? 'private' : String(room.memberCount),
    title: room.memberCount === 1 ? '1 member' : `${room.memberCount} members`,
  });
  const button = Object.assign(document.createElement('button'), { type: 'button' });
  button.dataset.roomId = room.id;
  button.append(name, facts);
  button.addEventListener('click', () => void openRoom(room));
  const item = document.createElement('li');
  item.append(button);
  return item;
}

function markOpenRoom() {
  for (const button of element('rooms').querySelectorAll('button')) {
    button.setAttribute('aria-current', String(button.dataset.roomId === running?.room?.id));
  }
}

async function createRoom() {
  const name = element('room-name').value.trim();
  if (name === '' || running === null) return;
  const isPrivate = element('room-private').checked;
  try {
    const { chatroom } = await running.api.createRoom({ roomid: kept.space, name, isPrivate });
    element('create-form').reset();
    await openRoom(chatroom);
    void showRooms();
  } catch (error) {
    notify(describe(error));
  }
}

/** Becomes a member, which costs nothing who is one already, and shows the room. @param {{id: string}} room */
async function openRoom(room) {
  if (running === null) return;
  const { api, connection, user } = running;
  try {
    await api.join(room.id);
  } catch (error) {
    kept.roomId = null;
    notify(describe(error));
    return;
  }
  if (running?.api !== api) return;
  running.room?.close();
  running.room = new OpenRoom({ room, user, api, connection, notify: (error) => notify(describe(error)) });
  kept.roomId = room.id;
  if (location.hash !== '' && linkedRoomId() !== room.id)
    history.replaceState(null, '', location.pathname + location.search);
  element('welcome').hidden = true;
  element('room').hidden = false;
  element('app').dataset.view = 'chat';
  markOpenRoom();
  if (connection.isReady) running.room.onConnected();
  if (room.name === undefined) void showRooms();
}

async function leaveRoom() {
  if (!running?.room) return;
  const { id } = running.room;
  try {
    await running.api.leave(id);
  } catch (error) {
    notify(describe(error));
    return;
  }
  running.room?.close();
  running.room = null;
  kept.roomId = null;
  element('room').hidden = true;
  element('welcome').hidden = false;
  element('app').dataset.view = 'rooms';
  void showRooms();
}

function describe(error) {
  return error.code ? `${error.message} (${error.code})` : String(error);
}

function notify(text) {
  const notice = element('notice');
  notice.textContent = text;
  notice.hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => {
    notice.hidden = true;
  }, NOTICE_MS);
}
