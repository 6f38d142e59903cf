// Commands that have no answer yet, in the order they came. Those under way (their append, or their request, is in flight) are
// always in front of the others, so one list and a mark are enough: an append that came to nothing moves the mark back to the
// front, and whoever waits longest is always first.
import type { Accepted, Command } from '../../schemas/commands.ts';
import type { Rejection } from '../../schemas/rejections.ts';

export type Answer = Accepted | Rejection;

export type Waiting = {
  /** When it came, by the clock of who keeps the list. */
  readonly cameAt: number;
  readonly resolve: (answer: Answer) => void;
  isAnswered: boolean;
};

/** A command that waits for its decision. */
export type WaitingCommand = Waiting & {
  readonly command: Command;
  readonly stream: string;
  /** How often it was decided. */
  decisions: number;
};

export class WaitingList<Item extends Waiting> {
  readonly #onAnswer: (answer: Answer) => void;
  /** Everything below `#first` has been dropped; from `#notTaken` on nothing is under way. */
  #items: Item[] = [];
  #first = 0;
  #notTaken = 0;

  constructor(onAnswer: (answer: Answer) => void) {
    this.#onAnswer = onAnswer;
  }

  /** How many are not under way. */
  get untaken(): number {
    return this.#items.length - this.#notTaken;
  }

  get isEmpty(): boolean {
    return this.#first === this.#items.length;
  }

  push(waiting: Item): void {
    this.#items.push(waiting);
  }

  /** The next one, which is under way from now on, or undefined. Those that were told something already are passed over: nobody waits for them. */
  take(): Item | undefined {
    while (this.#notTaken < this.#items.length) {
      const waiting = this.#items[this.#notTaken++];
      if (waiting && !waiting.isAnswered) return waiting;
    }
    return undefined;
  }

  answer(waiting: Item, answer: Answer): void {
    if (waiting.isAnswered) return;
    waiting.isAnswered = true;
    this.#onAnswer(answer);
    waiting.resolve(answer);
  }

  /** Nothing is under way any more: all that has no answer is to be taken again. */
  rewind(): void {
    this.#notTaken = this.#first;
  }

  /** Answers all that came at or before that time, each with what `answerTo` says. */
  answerUntil(time: number, answerTo: (waiting: Item) => Answer): void {
    for (let index = this.#first; index < this.#items.length; index++) {
      const waiting = this.#items[index];
      if (!waiting || waiting.cameAt > time) break;
      if (!waiting.isAnswered) this.answer(waiting, answerTo(waiting));
    }
    this.dropAnswered();
  }

  /** Lets go of what is answered in front. */
  dropAnswered(): void {
    while (this.#first < this.#items.length && this.#items[this.#first]?.isAnswered) this.#first++;
    this.#notTaken = Math.max(this.#notTaken, this.#first);
    if (this.#first < COMPACT_FROM && !this.isEmpty) return;
    this.#items = this.isEmpty ? [] : this.#items.slice(this.#first);
    this.#notTaken -= this.#first;
    this.#first = 0;
  }
}

/** The list is copied once for so many commands that were dropped from its front. */
const COMPACT_FROM = 4_096;
