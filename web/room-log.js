// What this page knows of one room: its events by version, and what was sent and is not answered yet. Versions are dense, so the
// highest one without a gap below is exactly what a reconnect asks to go on after, and a version that is here already is a
// duplicate, wherever it came from: a live frame, a resumed one, a page of history or the answer to sending it.

/**
 * @typedef {{id: string, message: string, userId: string, username: string, timestamp: string, roomId: string, version: number,
 *   replyTo: string | null, originalTime: string | null, commandId: string}} Message
 * @typedef {{commandId: string, text: string, error: string | null}} Pending
 */

export class RoomLog {
  /** @type {Map<number, Message>} */
  #messageByVersion = new Map();
  /** @type {Map<string, Message>} */
  #messageById = new Map();
  /** @type {Map<string, Pending>} */
  #pending = new Map();
  #version = 0;

  /** The newest version known: what `join-room` is asked to go on after. 0 before anything is known. */
  get version() {
    return this.#version;
  }

  /** What was sent and has no answer yet, oldest first; also what was refused, until it is dropped or sent again. */
  get pending() {
    return [...this.#pending.values()];
  }

  /** @param {string} id */
  messageById(id) {
    return this.#messageById.get(id);
  }

  /**
   * Takes a message wherever it comes from.
   * @param {Message} message
   * @returns whether it was new, and must be shown.
   */
  add(message) {
    this.#pending.delete(message.commandId);
    if (this.#messageByVersion.has(message.version)) return false;
    this.#messageByVersion.set(message.version, message);
    this.#messageById.set(message.id, message);
    return true;
  }

  /**
   * Whether something between what is known and this version was lost: versions of live frames have no gap. Before anything is known
   * there is none.
   * @param {number} version of a live frame
   */
  hasGapBefore(version) {
    return this.#version > 0 && version > this.#version + 1;
  }

  /**
   * The room has come to this version: by a live frame, or by the snapshot of a join.
   * @param {number} version
   * @returns whether it is news; a live frame of an old version is a duplicate.
   */
  reach(version) {
    if (version <= this.#version) return false;
    this.#version = version;
    return true;
  }

  /** @param {string} commandId @param {string} text */
  addPending(commandId, text) {
    this.#pending.set(commandId, { commandId, text, error: null });
  }

  /** The server refused it for good. @param {string} commandId @param {string} code */
  refuse(commandId, code) {
    const pending = this.#pending.get(commandId);
    if (pending) pending.error = code;
  }

  /** @param {string} commandId */
  drop(commandId) {
    this.#pending.delete(commandId);
  }
}
