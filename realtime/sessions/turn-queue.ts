/* Joins what one turn of the event loop has to say into one write per socket, and, under load, what several turns have to say.
 *
 * System calls are what delivery costs, not CPU in JavaScript (measured: two thirds of it is the kernel's `write`). A flush by
 * setImmediate runs after everything that arrived in this poll phase has been handled: on an idle node a single message leaves
 * at once, and what came together leaves together.
 *
 * Under load a turn brings only a few frames a socket, and flushing them at once would fill the node's time with writes. So after a
 * flush the queue rests for as long as that flush took, at most BOUNDS.flushRestMs: writing never takes more than half of the time, a
 * message in a quiet room waits for nothing, and the rest grows only as far as there is much to write. What has gathered ends the rest
 * early when it is more than BOUNDS.flushBytes.
 *
 * Rooms go first: they join their frames once and hand the piece to their sockets; then each socket writes what it has.
 */
import { BOUNDS } from '../bounds.ts';

export type Flushable = { flush(): void };

/** What the queue goes by; tests bring their own. `soon` runs the task after this turn's input, `later` after that many ms. */
export type TurnTime = {
  nowMs(): number;
  soon(task: () => void): void;
  later(task: () => void, ms: number): { cancel(): void };
};

const EVENT_LOOP: TurnTime = {
  nowMs: () => performance.now(),
  soon: (task) => void setImmediate(task),
  later: (task, ms) => {
    const timer = setTimeout(task, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

export class TurnQueue {
  readonly #time: TurnTime;
  #rooms: Flushable[] = [];
  #sockets: Flushable[] = [];
  #bytes = 0;
  #isScheduled = false;
  /** The flush that waits for the rest to end, if it does. */
  #resting: { cancel(): void } | null = null;
  /** Before it no flush begins. */
  #restsUntil = 0;

  constructor(time: TurnTime = EVENT_LOOP) {
    this.#time = time;
  }

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

  /** That many bytes more wait in a room or socket that has been added. */
  grew(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= BOUNDS.flushBytes || this.#resting === null) return;
    this.#resting.cancel();
    this.#resting = null;
    this.#time.soon(() => this.flush());
  }

  flush(): void {
    this.#resting = null;
    const begun = this.#time.nowMs();
    try {
      this.#flushAll();
    } finally {
      const ended = this.#time.nowMs();
      this.#restsUntil = ended + Math.min(ended - begun, BOUNDS.flushRestMs);
      // Not before: rooms add their sockets while they are flushed, and those leave in this flush.
      this.#isScheduled = false;
      if (this.#rooms.length + this.#sockets.length > 0) this.#schedule();
    }
  }

  #flushAll(): void {
    const rooms = this.#rooms;
    this.#rooms = [];
    for (const room of rooms) room.flush();
    const sockets = this.#sockets;
    this.#sockets = [];
    this.#bytes = 0;
    for (const socket of sockets) socket.flush();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const restMs = this.#restsUntil - this.#time.nowMs();
    // Timers are no finer than a millisecond: a shorter rest would become a longer one.
    if (restMs < 1) this.#time.soon(() => this.flush());
    else this.#resting = this.#time.later(() => this.flush(), restMs);
  }
}
