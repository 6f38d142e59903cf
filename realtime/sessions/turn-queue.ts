/* Joins what one turn of the event loop has to say into one write per socket.
 *
 * System calls are what delivery costs, not CPU in JavaScript (measured: two thirds of it is the kernel's `write`). A flush by
 * setImmediate runs after everything that arrived in this poll phase has been handled: on an idle node a single message leaves
 * at once, and under load what came together leaves together, without any timer that would add latency.
 *
 * Rooms go first: they join their frames once and hand the piece to their sockets; then each socket writes what it has.
 */

export type Flushable = { flush(): void };

export class TurnQueue {
  #rooms: Flushable[] = [];
  #sockets: Flushable[] = [];
  #scheduled = false;

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
    const rooms = this.#rooms;
    this.#rooms = [];
    for (const room of rooms) room.flush();
    const sockets = this.#sockets;
    this.#sockets = [];
    for (const socket of sockets) socket.flush();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.flush());
  }
}
