// Everything that takes time in the simulation waits here for its turn, and fast-check's scheduler says whose it is. Between two
// turns everything runs on that can run without waiting for another one. So a run depends on nothing but the scheduler's choices.
import type { Scheduler } from 'fast-check';
import type { Time } from '../../platform/time.ts';

export class Schedule {
  /** What happened, in order. Two runs of one seed have the same. */
  readonly trace: string[] = [];
  readonly #scheduler: Scheduler;
  #steps = 0;
  #leaptMs = 0;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  get steps(): number {
    return this.#steps;
  }

  /** The simulation's clock: a step takes one millisecond. */
  get nowMs(): number {
    return this.#steps + this.#leaptMs;
  }

  leapTo(nowMs: number): void {
    this.#leaptMs += Math.max(0, nowMs - this.nowMs);
  }

  /** Resolves when it is its turn. */
  async turn(what: string): Promise<void> {
    await this.#scheduler.schedule(NOW);
    this.note(what);
  }

  /** Resolves after so many turns of its own, at least one. */
  async turns(what: string, count: number): Promise<void> {
    for (let left = count; left > 1; left--) await this.#scheduler.schedule(NOW);
    await this.turn(what);
  }

  note(what: string): void {
    this.trace.push(`${this.#steps} ${what}`);
  }

  /** One turn and all that follows from it. False: nothing waits for one. */
  async step(): Promise<boolean> {
    // The next turn of the event loop comes when no promise has anything left to do.
    if (this.#scheduler.count() === 0) await new Promise(setImmediate);
    if (this.#scheduler.count() === 0) return false;
    this.#steps++;
    await this.#scheduler.waitOne();
    await new Promise(setImmediate);
    return true;
  }
}

const NOW = Promise.resolve();

/** A process that can stop for a while without knowing it, and die. What it waits for then waits, or never comes. */
export class SimulatedProcess {
  readonly name: string;
  readonly #schedule: Schedule;
  readonly #tickers = new Set<() => void>();
  #held: (() => void)[] = [];
  readonly #died = Promise.withResolvers<void>();
  #condition: 'running' | 'frozen' | 'dead' = 'running';

  constructor(name: string, schedule: Schedule) {
    this.name = name;
    this.#schedule = schedule;
  }

  get isDead(): boolean {
    return this.#condition === 'dead';
  }

  get isFrozen(): boolean {
    return this.#condition === 'frozen';
  }

  /** Resolves when it dies. */
  get died(): Promise<void> {
    return this.#died.promise;
  }

  /** Resolves when it is its turn and the process runs: perhaps never. */
  turn(what: string): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        if (this.#condition === 'running') resolve();
        else if (this.#condition === 'frozen') this.#held.push(() => void this.turn(what).then(resolve));
      };
      void this.#schedule.turn(`${this.name} ${what}`).then(go);
    });
  }

  freeze(): void {
    if (this.#condition === 'running') this.#condition = 'frozen';
  }

  thaw(): void {
    if (this.#condition !== 'frozen') return;
    this.#condition = 'running';
    const held = this.#held;
    this.#held = [];
    for (const go of held) go();
  }

  kill(): void {
    this.#condition = 'dead';
    this.#held = [];
    this.#died.resolve();
  }

  /** The timers that come again and again come once. They have no turns of their own, because those would never end. */
  async tick(): Promise<void> {
    if (this.#tickers.size === 0) return;
    await this.turn('looks at the clock');
    for (const run of [...this.#tickers]) run();
  }

  /** What the parts of the product that run in it wait by. */
  get time(): Time {
    return {
      now: () => this.#schedule.nowMs,
      pause: (ms, signal) => this.#pause(ms, signal),
      nextTurn: () => this.turn('goes on'),
      every: (_ms, run) => {
        this.#tickers.add(run);
        return () => this.#tickers.delete(run);
      },
    };
  }

  async #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const endsAt = this.#schedule.nowMs + ms;
    const aborted = new Promise<void>((resolve) => {
      signal?.addEventListener('abort', () => resolve(), { once: true });
    });
    const passed = this.turn('has paused').then(() => this.#schedule.leapTo(endsAt));
    await Promise.race([passed, aborted]);
  }
}
