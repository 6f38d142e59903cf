/* Joins what one turn of the event loop has to say into one write per socket, and, under load, what several turns have to say.
 *
 * System calls are what delivery costs, not CPU in JavaScript (measured: two thirds of it is the kernel's `write`). A flush by
 * setImmediate runs after everything that arrived in this poll phase has been handled: on an idle node a single message leaves
 * at once, and what came together leaves together.
 *
 * Under load a turn brings only a few frames a socket, and flushing them at once would fill the node's time with writes. So after a
 * flush the queue rests for as long as that flush took, at most MAX_REST_MS: writing never takes more than half of the time, a
 * message in a quiet room waits for nothing, and the rest grows only as far as there is much to write.
 *
 * Rooms go first: they join their frames once and hand the piece to their sockets; then each socket writes what it has.
 */

export type Flushable = { flush(): void };

const MAX_REST_MS = 5;

export class TurnQueue {
  #rooms: Flushable[] = [];
  #sockets: Flushable[] = [];
  #scheduled = false;
  /** By performance.now(): before it no flush begins. */
  #restsUntil = 0;

  /** Called once by a room until it has been flushed. */
  addRoom(room: Flushable): void {
    this.#rooms.push(room);
    this.#schedule();
  }

  /** Called once by a socket until it has been flushed. */
  addSocket(socket: Flushable): void {
    this.#sockets.push(socket);
    this.#schedule();
  }

  flush(): void {
    this.#scheduled = false;
    const begun = performance.now();
    const rooms = this.#rooms;
    this.#rooms = [];
    for (const room of rooms) room.flush();
    const sockets = this.#sockets;
    this.#sockets = [];
    for (const socket of sockets) socket.flush();
    const ended = performance.now();
    this.#restsUntil = ended + Math.min(ended - begun, MAX_REST_MS);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const restMs = this.#restsUntil - performance.now();
    // Timers are no finer than a millisecond: a shorter rest would become a longer one.
    if (restMs < 1) setImmediate(() => this.flush());
    else setTimeout(() => this.flush(), restMs);
  }
}
