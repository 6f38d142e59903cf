// One WebSocket that comes back by itself. Requests carry a ref and get a promise; what was not answered when the socket broke is
// rejected with `disconnected`, and who asked decides whether to ask again. Whether it comes back, and after how long, is what the
// table of close codes says.
import { CLOSE_CODES } from './codes.js';

/** @typedef {'connecting' | 'connected' | 'waiting' | 'ended'} ConnectionState */

export class RequestError extends Error {
  /** @param {string} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.name = 'RequestError';
    this.code = code;
  }
}

const ANSWER_TIMEOUT_MS = 10_000;
const LONGEST_WAIT_MS = 10_000;
const SHORTEST_WAIT_MS = 250;
/** A code that is not in the table is a broken network: worth coming back. */
const BROKEN = { reconnect: true, afterMs: 0 };

/**
 * Milliseconds to wait after that close code, or null where coming back cannot help. Never less than the table says, or the server
 * said in a `draining` frame; beyond that doubling from one failure to the next, with jitter: a thousand tabs must not come back
 * to a restarted server in the same moment.
 * @param {{code: number, drainingAfterMs?: number | null, attempts: number, random?: () => number}} closing
 */
export function waitAfterClose({ code, drainingAfterMs = null, attempts, random = Math.random }) {
  const { reconnect, afterMs } = CLOSE_CODES[code] ?? BROKEN;
  if (!reconnect) return null;
  const longest = Math.min(SHORTEST_WAIT_MS * 2 ** attempts, LONGEST_WAIT_MS);
  return (drainingAfterMs ?? afterMs) + longest / 2 + (random() * longest) / 2;
}

export class Connection {
  #url;
  #token;
  #on;
  /** @type {WebSocket | null} */
  #socket = null;
  #isReady = false;
  #nextRef = 1;
  #attempts = 0;
  /** @type {number | null} */
  #drainingAfterMs = null;
  #timer = 0;
  #ended = false;
  /** @type {Map<number, {resolve: (data: object) => void, reject: (error: Error) => void, timer: number}>} */
  #waiting = new Map();

  /**
   * @param {{url: string, token: string, onFrame: (event: string, data: object) => void, onConnected: () => void,
   *   onState: (state: ConnectionState, closeCode: number) => void}} options
   */
  constructor({ url, token, ...on }) {
    this.#url = url;
    this.#token = token;
    this.#on = on;
  }

  get isReady() {
    return this.#isReady;
  }

  open() {
    this.#on.onState('connecting', 0);
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.addEventListener('open', () => this.#authenticate(socket));
    socket.addEventListener('message', (event) => this.#receive(event.data));
    socket.addEventListener('close', (event) => this.#onClose(socket, event.code));
  }

  /** Comes back at once instead of after the wait: the network is there again, or the tab is looked at. */
  hurry() {
    if (this.#timer === 0) return;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.open();
  }

  /** Ends it for good. */
  close() {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#forgetRequests();
  }

  /** Resolves with the answer's data, or rejects with RequestError. @param {string} event @param {object} data */
  request(event, data) {
    if (!this.#isReady) return Promise.reject(new RequestError('disconnected', 'There is no connection.'));
    return this.#ask(event, data);
  }

  /** Sends what needs no answer; dropped when there is no connection. @param {string} event @param {object} data */
  say(event, data) {
    if (this.#isReady) this.#socket?.send(JSON.stringify({ event, data }));
  }

  #ask(event, data) {
    const ref = this.#nextRef++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        // A socket that answers nothing is broken, whatever its state says.
        this.#socket?.close();
        this.#settle(ref, { error: { code: 'disconnected', message: 'The server did not answer.' } });
      }, ANSWER_TIMEOUT_MS);
      this.#waiting.set(ref, { resolve, reject, timer });
      this.#socket?.send(JSON.stringify({ event, data, ref }));
    });
  }

  async #authenticate(socket) {
    try {
      // A browser cannot put a token into a header of the handshake; the first frame is the place for it.
      await this.#ask('auth', { token: this.#token });
    } catch {
      // The server closes the socket with the reason; #onClose acts on it.
      return;
    }
    if (socket !== this.#socket) return;
    this.#isReady = true;
    this.#attempts = 0;
    this.#on.onState('connected', 0);
    this.#on.onConnected();
  }

  #receive(text) {
    const frame = JSON.parse(text);
    if (frame.event === 'draining') this.#drainingAfterMs = frame.data.afterMs;
    if (frame.ref !== undefined) this.#settle(frame.ref, frame);
    else if (typeof frame.event === 'string') this.#on.onFrame(frame.event, frame.data ?? {});
  }

  #settle(ref, { data, error }) {
    const waiting = this.#waiting.get(ref);
    if (!waiting) return;
    this.#waiting.delete(ref);
    clearTimeout(waiting.timer);
    if (error) waiting.reject(new RequestError(error.code, error.message));
    else waiting.resolve(data ?? {});
  }

  #onClose(socket, code) {
    if (socket !== this.#socket) return;
    this.#isReady = false;
    this.#socket = null;
    this.#forgetRequests();
    const waitMs = waitAfterClose({ code, drainingAfterMs: this.#drainingAfterMs, attempts: this.#attempts });
    this.#drainingAfterMs = null;
    if (this.#ended || waitMs === null) {
      this.#on.onState('ended', code);
      return;
    }
    this.#attempts += 1;
    this.#on.onState('waiting', code);
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.open();
    }, waitMs);
  }

  #forgetRequests() {
    for (const ref of [...this.#waiting.keys()]) {
      this.#settle(ref, { error: { code: 'disconnected', message: 'The connection broke.' } });
    }
  }
}
