// The share of the event loop that goes to sessions that are far behind. What they missed is ready in memory as often as not, so
// without it a thousand of them would be given all of it in one turn, and everybody else's frames would wait behind those writes.

/** What `setImmediate` does; tests may take their own turns. */
type Schedule = (run: () => void) => void;

export class ResumeTurns {
  readonly #piecesPerTurn: number;
  readonly #schedule: Schedule;
  /** Each resuming session is in it once at most. */
  #waiting: (() => void)[] = [];

  constructor(piecesPerTurn: number, schedule: Schedule = setImmediate) {
    this.#piecesPerTurn = piecesPerTurn;
    this.#schedule = schedule;
  }

  /** Resolves when one piece may be given to one session: in the order of the calls, so many in a turn of the event loop. */
  take(): Promise<void> {
    if (this.#waiting.length === 0) this.#schedule(() => this.#next());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #next(): void {
    const now = this.#waiting.slice(0, this.#piecesPerTurn);
    this.#waiting = this.#waiting.slice(this.#piecesPerTurn);
    for (const resolve of now) resolve();
    if (this.#waiting.length > 0) this.#schedule(() => this.#next());
  }
}
