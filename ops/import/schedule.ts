// Which steps may start now. The law of it:
//   1. messages leave in the order of the file;
//   2. the steps of one user in one room happen one after another, but his messages may follow each other at once;
//   3. no step starts whose line is `size` or more lines ahead of the first line that is not done.
// Joins go over another connection than messages and take longer. Because of 3 they may start ahead of their turn, which is what
// keeps the messages flowing; because of 2 nobody speaks before he has joined or leaves before he has spoken.
// 3 is also what makes an import resumable: if any step of line L was started, every line up to L - size is done.
import type { MembershipStep, MessageStep, Step } from './planner.ts';

/** `after` is the join that a message waits for, until the message is sent. */
type Entry = { step: Step; done: boolean; after: Entry | null };

export class Schedule {
  readonly #size: number;
  /** Steps that are not done, by room and user, in the order of the file. */
  readonly #lanes = new Map<string, Entry[]>();
  readonly #entryByCommand = new Map<string, Entry>();
  readonly #openByLine = new Map<number, number>();
  readonly #readyMemberships: Entry[] = [];
  readonly #messages: Entry[] = [];
  #firstOpenLine: number;
  #nextLine: number;

  constructor(size: number, firstLine: number) {
    this.#size = size;
    this.#firstOpenLine = firstLine;
    this.#nextLine = firstLine;
  }

  /** Whether the next line may be added. */
  get hasRoom(): boolean {
    return this.#nextLine < this.#firstOpenLine + this.#size;
  }

  /** All lines before this one are done. */
  get firstOpenLine(): number {
    return this.#firstOpenLine;
  }

  get isEmpty(): boolean {
    return this.#openByLine.size === 0;
  }

  /** Adds the steps of the next line; there may be none. */
  add(line: number, steps: readonly Step[]): void {
    if (line !== this.#nextLine || !this.hasRoom) throw new Error(`line ${line} was added out of turn`);
    this.#nextLine += 1;
    if (steps.length > 0) this.#openByLine.set(line, steps.length);
    for (const step of steps) this.#addStep(step);
    this.#advance();
  }

  /** The next join or leave that may start, which is thereby started. */
  takeMembership(): MembershipStep | undefined {
    const step = this.#readyMemberships.shift()?.step;
    return step?.kind === 'message' ? undefined : step;
  }

  /** The next message, if it may be sent now; it is thereby started. */
  takeMessage(): MessageStep | undefined {
    const next = this.#messages[0];
    if (next === undefined || (next.after !== null && !next.after.done)) return undefined;
    this.#messages.shift();
    next.after = null;
    return next.step.kind === 'message' ? next.step : undefined;
  }

  /** The step has had its answer, whatever it was. */
  done(step: Step): void {
    const entry = this.#entryByCommand.get(step.commandId);
    if (entry === undefined) throw new Error(`${step.commandId} was answered without having been started`);
    entry.done = true;
    this.#entryByCommand.delete(step.commandId);
    const key = laneKey(step);
    const lane = this.#lanes.get(key) ?? [];
    const index = lane.indexOf(entry);
    lane.splice(index, 1);
    const first = lane[0];
    if (first === undefined) this.#lanes.delete(key);
    else if (index === 0 && first.step.kind !== 'message') this.#readyMemberships.push(first);
    const open = (this.#openByLine.get(step.line) ?? 0) - 1;
    if (open > 0) this.#openByLine.set(step.line, open);
    else this.#openByLine.delete(step.line);
    this.#advance();
  }

  #addStep(step: Step): void {
    const key = laneKey(step);
    const lane = this.#lanes.get(key) ?? [];
    this.#lanes.set(key, lane);
    const entry: Entry = { step, done: false, after: null };
    if (step.kind === 'message') {
      entry.after = lane.findLast((earlier) => earlier.step.kind !== 'message') ?? null;
      this.#messages.push(entry);
    } else if (lane.length === 0) {
      this.#readyMemberships.push(entry);
    }
    lane.push(entry);
    this.#entryByCommand.set(step.commandId, entry);
  }

  #advance(): void {
    while (this.#firstOpenLine < this.#nextLine && !this.#openByLine.has(this.#firstOpenLine)) this.#firstOpenLine += 1;
  }
}

function laneKey(step: Step): string {
  return JSON.stringify([step.roomId, step.user]);
}
