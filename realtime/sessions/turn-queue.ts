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
 * A flush of many sockets is made in portions of BOUNDS.flushPortionMs with turns of the event loop in between, so that commands go
 * to the log and come back from it while others are written to. Rooms go first: they join their frames once and hand the piece to their
 * sockets; then each socket writes what it has. What rooms have by the next portion is handed out then, so the sockets whose turn
 * is still to come write it too, and each message waits for one round over the sockets, not for the end of this one and half of the next.
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

/** Sockets written to between two looks at the clock. */
const SOCKETS_PER_LOOK = 16;
/** Handing out again within a flush must not take more than this part of the time that writing has taken since the last time. */
const HAND_OUT_SHARE = 1 / 8;

export class TurnQueue {
  readonly #time: TurnTime;
  #rooms: Flushable[] = [];
  /** Those before #next have been written to. */
  #sockets: Flushable[] = [];
  #next = 0;
  /** Where the flush under way ends: what is added behind leaves in the next one. 0 while there is none. */
  #end = 0;
  /** What the flush under way has taken. */
  #spentMs = 0;
  #handOutMs = 0;
  #writtenMs = 0;
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

  /** One portion of a flush. The queue calls it itself when it is time. */
  flush(): void {
    this.#resting = null;
    const begun = this.#time.nowMs();
    const isFirst = this.#end === 0;
    if (isFirst || this.#handOutMs <= this.#writtenMs * HAND_OUT_SHARE) this.#handOut(begun);
    if (isFirst) this.#end = this.#sockets.length;
    const ended = this.#write(begun);
    this.#spentMs += ended - begun;
    if (this.#next < this.#end) this.#time.soon(() => this.flush());
    else this.#rest(ended);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const restMs = this.#restsUntil - this.#time.nowMs();
    // Timers are no finer than a millisecond: a shorter rest would become a longer one.
    if (restMs < 1) this.#time.soon(() => this.flush());
    else this.#resting = this.#time.later(() => this.flush(), restMs);
  }

  #handOut(begun: number): void {
    const rooms = this.#rooms;
    this.#rooms = [];
    for (const room of rooms) room.flush();
    this.#handOutMs = this.#time.nowMs() - begun;
    this.#writtenMs = 0;
  }

  /** Says when it ended. */
  #write(portionBegun: number): number {
    const begun = this.#time.nowMs();
    let now: number;
    do {
      const end = Math.min(this.#next + SOCKETS_PER_LOOK, this.#end);
      for (; this.#next < end; this.#next++) this.#sockets[this.#next]?.flush();
      now = this.#time.nowMs();
    } while (this.#next < this.#end && now - portionBegun < BOUNDS.flushPortionMs);
    this.#writtenMs += now - begun;
    return now;
  }

  #rest(ended: number): void {
    this.#sockets.splice(0, this.#end);
    this.#next = 0;
    this.#end = 0;
    this.#restsUntil = ended + Math.min(this.#spentMs, BOUNDS.flushRestMs);
    this.#spentMs = 0;
    this.#bytes = 0;
    // Not before: rooms add their sockets while they are flushed, and those leave in this flush.
    this.#isScheduled = false;
    if (this.#rooms.length + this.#sockets.length > 0) this.#schedule();
  }
}
