/* When the connections of a gateway have their heartbeats: each hangs on one spoke for as long as it is there, and every second one
 * spoke has its turn. So heartbeats are spread over BOUNDS.pingEveryMs, with one timer for the node. Somebody in a thousand rooms gets a
 * thousand frames, and many of those may hang on one spoke, so others are let in between.
 */
import { BOUNDS } from '../bounds.ts';

/** `beat` sends one connection its heartbeats and says how many frames that were. */
type Beating = { beat(): number };

const TICK_MS = 1_000;

export class HeartbeatWheel<Connection extends Beating> {
  readonly #spokes = Array.from({ length: BOUNDS.pingEveryMs / TICK_MS }, () => new Set<Connection>());
  #turn = 0;
  #next = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  all(): Connection[] {
    return this.#spokes.flatMap((spoke) => [...spoke]);
  }

  /** Returns the spoke, which `remove` wants: to remember it is cheaper than to look for a connection on all of them. */
  add(connection: Connection): number {
    const spoke = this.#next;
    this.#next = (spoke + 1) % this.#spokes.length;
    this.#spokes[spoke]?.add(connection);
    this.#size += 1;
    return spoke;
  }

  remove(connection: Connection, spoke: number): void {
    if (this.#spokes[spoke]?.delete(connection)) this.#size -= 1;
  }

  /** Once a second. */
  tick(): void {
    beatAll(this.#spokes[this.#turn] ?? []);
    this.#turn = (this.#turn + 1) % this.#spokes.length;
  }
}

function beatAll(connections: Iterable<Beating>): void {
  const due = connections[Symbol.iterator]();
  const go = (): void => {
    let frames = 0;
    for (let next = due.next(); !next.done; next = due.next()) {
      frames += next.value.beat();
      if (frames >= BOUNDS.heartbeatsPerTurn) {
        setImmediate(go);
        return;
      }
    }
  };
  go();
}
