// The room that is open: joins it over the socket, goes on after the last version it has when the socket comes back, sends under
// commandIds that stay the same until there is an answer, and tells the others when its user types.
import { MessageList } from './message-list.js';
import { RoomLog } from './room-log.js';

const TYPING_EVERY_MS = 2_500;
/** A little longer than the server keeps a mark that is not repeated. */
const TYPING_SHOWN_MS = 7_000;
const LOAD_OLDER_PX = 80;
/** Two heartbeats and a little: without one for so long nobody knows whether the room is silent. */
const SILENCE_MS = 60_000;

const element = (id) => document.getElementById(id);

/** Room events other than messages, as people read them. */
const NOTES = {
  'room-created': (data) => `${data.username} made this room`,
  'room-details-changed': (data) => `${data.username} changed the room to “${data.name}”`,
  'room-archived': (data) => `${data.username} archived the room`,
  'member-invited': (data) => `${data.username} invited ${data.invitedUserId}`,
  'member-joined': (data) => `${data.username} joined`,
  'member-left': (data) => `${data.username} left`,
};

export class OpenRoom {
  #room;
  #user;
  #api;
  #connection;
  #notify;
  #log = new RoomLog();
  #list;
  /** Where older history begins; null when all of it is here, undefined before anything is. @type {string | null | undefined} */
  #olderCursor;
  #isLoadingOlder = false;
  /** @type {Map<string, {username: string, timer: number}>} */
  #typists = new Map();
  #lastTypingAt = 0;
  #heardAt = performance.now();
  #isCatchingUp = false;
  /** The last room event that was no message, and whom it was about. */
  #lastMembership = '';
  #listeners = new AbortController();
  #silenceTimer = setInterval(() => this.#breakSilence(), SILENCE_MS / 2);

  /**
   * @param {{room: {id: string, name?: string, isPrivate?: boolean}, user: {userId: string, username: string}, api: object,
   *   connection: import('./connection.js').Connection, notify: (error: Error) => void}} options
   */
  constructor({ room, user, api, connection, notify }) {
    this.#room = room;
    this.#user = user;
    this.#api = api;
    this.#connection = connection;
    this.#notify = notify;
    this.#list = new MessageList({
      list: element('messages'),
      scroller: element('scroller'),
      toNewest: element('to-newest'),
      me: user.userId,
      roomLog: this.#log,
      onRetry: (commandId) => this.#retry(commandId),
      onDrop: (commandId) => this.#drop(commandId),
    });
    this.#showHeading();
    element('text').value = '';
    element('typing').textContent = '';
    element('older').hidden = true;
    element('invited').textContent = '';
    this.#listen();
  }

  get id() {
    return this.#room.id;
  }

  close() {
    this.#stopTyping();
    this.#connection.say('leave-room', { roomId: this.id });
    this.#listeners.abort();
    for (const { timer } of this.#typists.values()) clearTimeout(timer);
    clearInterval(this.#silenceTimer);
  }

  /** The socket is there, for the first time or again. */
  async onConnected() {
    if (!(await this.#join())) return;
    for (const { commandId, text, error } of this.#log.pending) if (error === null) void this.#deliver(commandId, text);
  }

  /** Whether the room was joined, and all that was missed is here. */
  async #join() {
    const { version } = this.#log;
    this.#heardAt = performance.now();
    try {
      await this.#connection.request(
        'join-room',
        version === 0 ? { roomId: this.id } : { roomId: this.id, after: version },
      );
      return true;
    } catch (error) {
      if (error.code !== 'disconnected') this.#notify(error);
      return false;
    }
  }

  /** Something is missing: it is asked for once, and whatever comes before it is dropped, because it comes again behind it. */
  async #catchUp() {
    if (this.#isCatchingUp) return;
    this.#isCatchingUp = true;
    await this.#join();
    this.#isCatchingUp = false;
  }

  #breakSilence() {
    const isSilent = performance.now() - this.#heardAt > SILENCE_MS;
    if (isSilent && this.#connection.isReady && this.#log.version > 0) void this.#catchUp();
  }

  /** The room list knows more of the room than its id. @param {{id: string, name: string, isPrivate: boolean}} room */
  onDetails(room) {
    this.#room = room;
    this.#showHeading();
  }

  /** @param {string} event @param {any} data */
  onFrame(event, data) {
    if (data.roomId !== this.id) return;
    if (event !== 'recent-messages' && this.#log.hasGapBefore(data.version)) {
      void this.#catchUp();
      return;
    }
    switch (event) {
      case 'heartbeat':
        this.#heardAt = performance.now();
        if (data.version > this.#log.version) void this.#catchUp();
        return;
      case 'recent-messages':
        this.#showRecent(data);
        return;
      case 'receive-message':
        this.#log.reach(data.version);
        this.#setTyping(data.userId, null);
        if (this.#log.add(data)) this.#list.show([data]);
        return;
      case 'typing':
        this.#setTyping(data.userId, data.username);
        return;
      case 'stop-typing':
        this.#setTyping(data.userId, null);
        return;
      case 'user-joined':
      case 'user-left':
        this.#onPresence(event, data);
        return;
      default:
        this.#onRoomEvent(event, data);
    }
  }

  /** Somebody's first tab came or last one went. Who has just joined is here, of course, and who has left went away. */
  #onPresence(event, { userId, username }) {
    this.#setTyping(userId, null);
    const isTold = this.#lastMembership === `${event === 'user-joined' ? 'member-joined' : 'member-left'} ${userId}`;
    this.#lastMembership = '';
    if (userId === this.#user.userId || isTold) return;
    this.#list.note(this.#log.version, `${username} ${event === 'user-joined' ? 'is here' : 'went away'}`);
  }

  #onRoomEvent(event, data) {
    const describe = NOTES[event];
    if (describe === undefined || !this.#log.reach(data.version)) return;
    this.#lastMembership = `${event} ${data.userId}`;
    this.#list.note(data.version, describe(data));
    if (event === 'room-details-changed') {
      this.#room = { ...this.#room, name: data.name };
      this.#showHeading();
    }
  }

  #showRecent({ messages, version }) {
    this.#log.reach(version);
    this.#list.show(messages.filter((message) => this.#log.add(message)));
    if (this.#olderCursor !== undefined) return;
    const oldest = messages[0];
    this.#olderCursor = oldest && oldest.version > 1 ? String(oldest.version) : null;
    element('older').hidden = this.#olderCursor === null;
    this.#list.scrollToNewest();
  }

  async #loadOlder() {
    if (this.#isLoadingOlder || !this.#olderCursor) return;
    this.#isLoadingOlder = true;
    element('older').disabled = true;
    try {
      const page = await this.#api.listMessages(this.id, this.#olderCursor);
      this.#list.showOlder(page.messages.filter((message) => this.#log.add(message)));
      this.#olderCursor = page.nextCursor ?? null;
      element('older').hidden = this.#olderCursor === null;
    } catch (error) {
      this.#notify(error);
    } finally {
      this.#isLoadingOlder = false;
      element('older').disabled = false;
    }
  }

  #send() {
    const text = element('text').value;
    if (text.trim() === '') return;
    element('text').value = '';
    this.#stopTyping();
    const commandId = crypto.randomUUID();
    this.#log.addPending(commandId, text);
    this.#list.showPending();
    void this.#deliver(commandId, text);
  }

  /** One try. A broken connection leaves the message pending: it goes again under its commandId when the room is joined again. */
  async #deliver(commandId, text) {
    try {
      const { message } = await this.#connection.request('send-message', { roomId: this.id, message: text, commandId });
      // The answer has what the sender did not know; the whole message also comes as a frame, before or after it.
      const whole = { message: text, replyTo: null, originalTime: null, ...this.#user, ...message };
      if (this.#log.add(whole)) this.#list.show([whole]);
    } catch (error) {
      if (error.code === 'disconnected') return;
      this.#log.refuse(commandId, error.code);
      this.#list.showPending();
    }
  }

  #retry(commandId) {
    const pending = this.#log.pending.find((waiting) => waiting.commandId === commandId);
    if (!pending) return;
    this.#log.addPending(commandId, pending.text);
    this.#list.showPending();
    void this.#deliver(commandId, pending.text);
  }

  #drop(commandId) {
    this.#log.drop(commandId);
    this.#list.showPending();
    element('text').focus();
  }

  #listen() {
    const { signal } = this.#listeners;
    const listen = (id, type, handle) => element(id).addEventListener(type, handle, { signal });
    listen('composer', 'submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    listen('text', 'keydown', (event) => {
      // While a word is being composed (Japanese, for one), Enter belongs to the composing.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    listen('text', 'input', () => this.#onInput());
    listen('text', 'blur', () => this.#stopTyping());
    listen('older', 'click', () => void this.#loadOlder());
    listen('to-newest', 'click', () => this.#list.scrollToNewest());
    listen('scroller', 'scroll', () => {
      this.#list.onScroll();
      if (element('scroller').scrollTop < LOAD_OLDER_PX) void this.#loadOlder();
    });
    listen('invite-form', 'submit', (event) => {
      event.preventDefault();
      void this.#invite();
    });
  }

  async #invite() {
    const invitee = element('invitee').value.trim();
    if (invitee === '') return;
    try {
      await this.#api.invite(this.id, invitee);
      element('invite-form').reset();
      // A private room is in nobody's list who is not in it, so whoever is invited needs to be told where it is.
      element('invited').textContent =
        `${invitee} can come in here: ${location.origin}/#room=${encodeURIComponent(this.id)}`;
    } catch (error) {
      this.#notify(error);
    }
  }

  #onInput() {
    if (element('text').value === '') {
      this.#stopTyping();
    } else if (performance.now() - this.#lastTypingAt > TYPING_EVERY_MS || this.#lastTypingAt === 0) {
      this.#lastTypingAt = performance.now();
      this.#connection.say('typing', { roomId: this.id });
    }
  }

  #stopTyping() {
    if (this.#lastTypingAt === 0) return;
    this.#lastTypingAt = 0;
    this.#connection.say('stop-typing', { roomId: this.id });
  }

  /** @param {string} userId @param {string | null} username null: not typing any more */
  #setTyping(userId, username) {
    clearTimeout(this.#typists.get(userId)?.timer);
    this.#typists.delete(userId);
    if (username !== null && userId !== this.#user.userId) {
      const timer = setTimeout(() => this.#setTyping(userId, null), TYPING_SHOWN_MS);
      this.#typists.set(userId, { username, timer });
    }
    const names = [...this.#typists.values()].map((typist) => typist.username);
    const text = { 0: '', 1: `${names[0]} is typing…`, 2: `${names[0]} and ${names[1]} are typing…` }[names.length];
    element('typing').textContent = text ?? `${names.length} people are typing…`;
  }

  #showHeading() {
    element('room-title').textContent = this.#room.name ?? 'Room';
    element('room-facts').textContent = this.#room.isPrivate ? 'Private room' : (this.#room.description ?? '');
    element('invite-form').hidden = this.#room.isPrivate !== true;
  }
}
