// The commands of one partition that have no answer yet, in the order they came. The decided ones, whose append is in flight,
// are always in front of the undecided ones, so one list and a mark are enough: an append that came to nothing moves the mark
// back to the front, and whoever waits longest is always first.
import type { Accepted, Command } from '../../schemas/commands.ts';
import type { Rejection } from '../../schemas/rejections.ts';

export type Answer = Accepted | Rejection;

export type WaitingCommand = {
  readonly command: Command;
  readonly stream: string;
  /** When it came, in ticks of its partition's clock. */
  readonly cameAt: number;
  readonly resolve: (answer: Answer) => void;
  /** How often it was decided. */
  decisions: number;
  isAnswered: boolean;
};

export class WaitingCommands {
  readonly #onAnswer: (answer: Answer) => void;
  /** Everything below `#first` has been dropped, from `#undecided` on nothing is decided. */
  #items: WaitingCommand[] = [];
  #first = 0;
  #undecided = 0;

  constructor(onAnswer: (answer: Answer) => void) {
    this.#onAnswer = onAnswer;
  }

  /** How many wait for a decision. */
  get undecided(): number {
    return this.#items.length - this.#undecided;
  }

  get isEmpty(): boolean {
    return this.#first === this.#items.length;
  }

  push(waiting: WaitingCommand): void {
    this.#items.push(waiting);
  }

  /** The next one to decide, or undefined. Those that were told something already are passed over: nobody waits for them. */
  take(): WaitingCommand | undefined {
    while (this.#undecided < this.#items.length) {
      const waiting = this.#items[this.#undecided++];
      if (waiting && !waiting.isAnswered) return waiting;
    }
    return undefined;
  }

  answer(waiting: WaitingCommand, answer: Answer): void {
    if (waiting.isAnswered) return;
    waiting.isAnswered = true;
    this.#onAnswer(answer);
    waiting.resolve(answer);
  }

  /** Everything that was decided and has no answer is to be decided again. */
  rewind(): void {
    this.#undecided = this.#first;
  }

  /** Answers all that came at or before that tick. */
  answerUntil(tick: number, answer: Answer): void {
    for (let index = this.#first; index < this.#items.length; index++) {
      const waiting = this.#items[index];
      if (!waiting || waiting.cameAt > tick) break;
      this.answer(waiting, answer);
    }
    this.dropAnswered();
  }

  /** Lets go of what is answered in front. */
  dropAnswered(): void {
    while (this.#first < this.#items.length && this.#items[this.#first]?.isAnswered) this.#first++;
    this.#undecided = Math.max(this.#undecided, this.#first);
    if (this.#first < COMPACT_FROM && !this.isEmpty) return;
    this.#items = this.isEmpty ? [] : this.#items.slice(this.#first);
    this.#undecided -= this.#first;
    this.#first = 0;
  }
}

/** The list is copied once for so many commands that were dropped from its front. */
const COMPACT_FROM = 4_096;
