// Waiting goes through here where a simulation has to hold it. `now` is monotonic and says nothing of the time of day (clock.ts).
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';

export type Time = {
  /** Milliseconds since some moment. */
  now(): number;
  /** Resolves after so many milliseconds, or as soon as the signal, if any, aborts. */
  pause(ms: number, signal?: AbortSignal): Promise<void>;
  /** Resolves when all that has arrived in this turn of the event loop has been handled. */
  nextTurn(): Promise<void>;
  /** Calls `run` every so many milliseconds until what it returns is called. */
  every(ms: number, run: () => void): () => void;
};

export const systemTime: Time = {
  now: () => performance.now(),
  async pause(ms, signal) {
    // Being woken by the signal is no failure; the caller looks at it next.
    await delay(ms, undefined, signal && { signal }).catch(() => undefined);
  },
  nextTurn: () => turn(),
  every(ms, run) {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
};
