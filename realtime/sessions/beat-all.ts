// The heartbeats of the connections whose turn it is on the wheel. Somebody in a thousand rooms gets a thousand frames, and many of
// those may hang on one spoke, so others are let in between.
import { BOUNDS } from '../bounds.ts';

/** `beat` sends one connection its heartbeats and says how many frames that were. */
export function beatAll(connections: Iterable<{ beat(): number }>): void {
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
