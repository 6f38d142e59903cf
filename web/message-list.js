// Shows the messages of one room. Everything that people wrote goes in as text (textContent), never as markup. Elements are put
// where their version belongs, so it does not matter in which order pages, live frames and answers come.

const CONTINUED_WITHIN_MS = 5 * 60_000;
const NEAR_BOTTOM_PX = 120;
const HUES = 8;

const dayFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'full' });
const timeFormat = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });

export class MessageList {
  #list;
  #scroller;
  #toNewest;
  #me;
  #roomLog;
  #onRetry;
  #onDrop;
  /** @type {{version: number, at: number, userId: string | null, element: HTMLElement}[]} sorted by version */
  #entries = [];

  /**
   * @param {{list: HTMLElement, scroller: HTMLElement, toNewest: HTMLElement, me: string,
   *   roomLog: import('./room-log.js').RoomLog, onRetry: (commandId: string) => void, onDrop: (commandId: string) => void}} options
   */
  constructor({ list, scroller, toNewest, me, roomLog, onRetry, onDrop }) {
    this.#list = list;
    this.#scroller = scroller;
    this.#toNewest = toNewest;
    this.#me = me;
    this.#roomLog = roomLog;
    this.#onRetry = onRetry;
    this.#onDrop = onDrop;
    list.replaceChildren();
    toNewest.hidden = true;
  }

  get oldestVersion() {
    return this.#entries.find((entry) => entry.userId !== null)?.version;
  }

  /** Shows messages that the log did not have. @param {import('./room-log.js').Message[]} messages */
  show(messages) {
    const wasAtBottom = this.#isAtBottom();
    for (const message of messages) this.#insert(this.#messageEntry(message));
    this.#showPending();
    if (wasAtBottom || messages.some((message) => message.userId === this.#me)) this.scrollToNewest();
    else if (messages.length > 0) this.#toNewest.hidden = false;
  }

  /** Shows older messages on top without moving what is being read. @param {import('./room-log.js').Message[]} messages */
  showOlder(messages) {
    const before = this.#scroller.scrollHeight - this.#scroller.scrollTop;
    // A screen reader should not read out a page of history that was asked for by scrolling.
    this.#list.setAttribute('aria-live', 'off');
    for (const message of messages) this.#insert(this.#messageEntry(message));
    this.#scroller.scrollTop = this.#scroller.scrollHeight - before;
    requestAnimationFrame(() => this.#list.setAttribute('aria-live', 'polite'));
  }

  /** Somebody came, went or did something that is no message. @param {number} version @param {string} text */
  note(version, text) {
    const wasAtBottom = this.#isAtBottom();
    const element = make('li', 'note');
    element.textContent = text;
    this.#insert({ version, at: 0, userId: null, element });
    this.#showPending();
    if (wasAtBottom) this.scrollToNewest();
  }

  /** Shows what is sent and not answered yet, at the end. */
  showPending() {
    this.#showPending();
    this.scrollToNewest();
  }

  scrollToNewest() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#toNewest.hidden = true;
  }

  /** To be called when the reader scrolls. */
  onScroll() {
    if (this.#isAtBottom()) this.#toNewest.hidden = true;
  }

  #isAtBottom() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_BOTTOM_PX;
  }

  #insert(entry) {
    let index = this.#entries.length;
    while (index > 0 && this.#entries[index - 1].version > entry.version) index--;
    const next = this.#entries[index];
    this.#entries.splice(index, 0, entry);
    this.#list.insertBefore(entry.element, next?.element ?? this.#list.querySelector('.pending'));
    this.#relate(index);
    this.#relate(index + 1);
  }

  /** Whether the entry goes on what the one before it began, and whether a new day begins with it. */
  #relate(index) {
    const entry = this.#entries[index];
    if (!entry || entry.userId === null) return;
    const before = this.#entries[index - 1];
    const lastMessage = this.#entries.slice(0, index).findLast((earlier) => earlier.userId !== null);
    const isNewDay = !lastMessage || new Date(lastMessage.at).toDateString() !== new Date(entry.at).toDateString();
    const isContinued =
      !isNewDay && before?.userId === entry.userId && Math.abs(entry.at - before.at) < CONTINUED_WITHIN_MS;
    entry.element.classList.toggle('continued', isContinued);
    entry.element.querySelector('.day')?.remove();
    if (!isNewDay) return;
    const day = make('p', 'day');
    day.textContent = dayFormat.format(entry.at);
    entry.element.prepend(day);
  }

  #messageEntry(message) {
    const at = Date.parse(message.originalTime ?? message.timestamp);
    const element = make('li', 'message');
    element.dataset.version = String(message.version);
    element.classList.toggle('mine', message.userId === this.#me);
    element.append(avatar(message.userId, message.username), this.#body(message, at));
    return { version: message.version, at, userId: message.userId, element };
  }

  #body(message, at) {
    const head = make('p', 'head');
    const name = make('span', 'name');
    name.textContent = message.username;
    const time = document.createElement('time');
    time.dateTime = new Date(at).toISOString();
    time.textContent = timeFormat.format(at);
    time.title = new Date(at).toLocaleString();
    head.append(name, time);
    const text = make('p', 'text');
    text.textContent = message.message;
    const body = make('div', 'body');
    body.append(head, ...this.#quote(message.replyTo), text);
    return body;
  }

  /** The message answered, in one line, where it is at hand. @param {string | null} replyTo */
  #quote(replyTo) {
    const answered = replyTo === null ? undefined : this.#roomLog.messageById(replyTo);
    if (!answered) return [];
    const quote = make('p', 'quote');
    const name = make('b', 'quote-name');
    name.textContent = answered.username;
    quote.append(name, ` ${answered.message}`);
    return [quote];
  }

  #showPending() {
    for (const element of this.#list.querySelectorAll('.pending')) element.remove();
    for (const pending of this.#roomLog.pending) this.#list.append(this.#pendingElement(pending));
  }

  #pendingElement({ commandId, text, error }) {
    const element = make('li', 'message mine pending');
    const body = make('div', 'body');
    const said = make('p', 'text');
    said.textContent = text;
    const state = make('p', 'state');
    state.textContent = error === null ? 'Sending…' : `Not sent: ${error}`;
    body.append(said, state);
    if (error !== null) {
      element.classList.add('refused');
      body.append(
        button('Send again', () => this.#onRetry(commandId)),
        button('Discard', () => this.#onDrop(commandId)),
      );
    }
    element.append(avatar(this.#me, this.#me), body);
    return element;
  }
}

/** A round sign of a user: an initial on a colour that stays the same for the user id. */
export function avatar(userId, username) {
  const element = make('span', `avatar hue-${hueOf(userId)}`);
  element.setAttribute('aria-hidden', 'true');
  const initial = [...username].find((character) => /[\p{L}\p{N}]/u.test(character)) ?? '?';
  element.textContent = initial.toUpperCase();
  return element;
}

function hueOf(userId) {
  let hash = 0;
  for (const character of userId) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 65_521;
  return hash % HUES;
}

function make(tag, className) {
  const element = document.createElement(tag);
  element.className = className;
  return element;
}

function button(label, onClick) {
  const element = make('button', 'plain');
  element.type = 'button';
  element.textContent = label;
  element.addEventListener('click', onClick);
  return element;
}
