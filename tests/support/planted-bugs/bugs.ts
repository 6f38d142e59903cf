// BUGS ON PURPOSE. A check that has never found anything may be unable to. Each of these is one mistake that somebody could make
// in the product, planted while its source is loaded (plant.ts), and a test demands that it is found.

import { FAULT_SUITE_BUGS } from './fault-suite-bugs.ts';

export type PlantedBug = {
  /** What PLANTED_BUG is set to. */
  name: string;
  /** From the project's root. */
  file: string;
  /** The piece of source that it replaces. It stands in the file once, which bugs.test.ts holds it to. */
  find: string;
  replace: string;
  /** What goes wrong with it. */
  why: string;
};

/** Mistakes in the append protocol (docs/decisions/0001-predicted-offsets.md), found by the simulation (tests/simulation/). */
export const APPEND_PROTOCOL_BUGS: readonly PlantedBug[] = [
  {
    name: 'acknowledges-before-the-append',
    file: 'commands/partition-owner.ts',
    find: 'const stopTimer = metrics.startAppend(batch.records.length);',
    replace: 'this.#answer(batch, expectedOffset); const stopTimer = metrics.startAppend(batch.records.length);',
    why: 'an acceptance is told before the log has the event, which may never get there',
  },
  {
    name: 'reads-void-records',
    file: 'event-log/kafka/record-batch.ts',
    find: 'return predictions !== 1 || !fits;',
    replace: 'return predictions !== 1;',
    why: 'what was decided on a state that was out of date counts',
  },
  {
    name: 'takes-unknown-for-failure',
    file: 'commands/partition-owner.ts',
    find: 'await this.#settle(batch, expectedOffset);',
    replace: 'await this.#recover(async () => this.#state.skipTo(await this.#deps.log.head(this.#state.partition)));',
    why: 'an append that landed without an answer is appended once more',
  },
  {
    name: 'tells-unknown-as-refused',
    file: 'commands/partition-owner.ts',
    find: 'await this.#settle(batch, expectedOffset);',
    replace:
      "{ this.#waiting.answerUntil(Number.POSITIVE_INFINITY, reject('unavailable')); await this.#settle(batch, expectedOffset); }",
    why: 'a sender is told that nothing happened, and it happened',
  },
  {
    name: 'takes-unknown-for-success',
    file: 'commands/partition-owner.ts',
    find: 'await this.#settle(batch, expectedOffset);',
    replace: '{ this.#state.foldAppended(batch.events); this.#answer(batch, expectedOffset); }',
    why: 'an append that never arrived is acknowledged',
  },
  {
    name: 'decides-again-without-reading',
    file: 'commands/partition-owner.ts',
    find: 'await this.#recover(() => this.#state.readTo(head));',
    replace: 'await this.#recover(async () => this.#state.skipTo(head));',
    why: 'after a conflict the prediction is right and the state behind the decision is not',
  },
  {
    name: 'reads-one-short-of-the-barrier',
    file: 'commands/partition-owner.ts',
    find: 'await this.#state.readTo(barrier, (event)',
    replace: 'await this.#state.readTo(barrier - 1, (event)',
    why: 'the last record before the barrier is taken for one that is not there',
  },
  {
    name: 'remembers-its-own-commands-only',
    file: 'commands/partition/partition-state.ts',
    find: 'this.remembered.note(stream, event, offset);',
    replace: 'if (offset === this.#nextOffset - 1) this.remembered.note(stream, event, offset);',
    why: 'a command that is repeated to another owner is done twice',
  },
  {
    name: 'refuses-without-asking-the-log',
    file: 'commands/partition/append-batch.ts',
    find: 'if (isRefused(decision)) return this.#later(waiting, decision, null);',
    replace: 'if (isRefused(decision)) return decision;',
    why: 'an owner whose state is out of date refuses what is allowed',
  },
  {
    name: 'has-nothing-to-do-without-asking-the-log',
    file: 'commands/partition-owner.ts',
    find: 'if (batch.records.length === 0) return Math.max(expectedOffset, await log.head(partition));',
    replace: 'if (batch.records.length === 0) return expectedOffset;',
    why: 'an owner whose state is out of date says that there was nothing to do',
  },
  {
    name: 'takes-a-conflict-for-appended',
    file: 'event-log/kafka/kafka-appender.ts',
    find: 'if (baseOffset === expectedOffset) return',
    replace: 'if (baseOffset >= expectedOffset) return',
    why: 'void records are acknowledged',
  },
  {
    name: 'does-two-of-one-batch',
    file: 'commands/partition/append-batch.ts',
    find: 'if (twin) return',
    replace: 'if (twin && Number.isNaN(0)) return',
    why: 'a command that comes twice while its partition is busy is done twice',
  },
  {
    name: 'skips-one-beyond-the-barrier',
    file: 'commands/partition-owner.ts',
    find: 'this.#state.skipTo(barrier + 1);',
    replace: 'this.#state.skipTo(barrier + 2);',
    why: 'what another owner writes right after a barrier is never read',
  },
  {
    name: 'acknowledges-what-did-not-land',
    file: 'commands/partition-owner.ts',
    find: 'if (hasLanded) this.#answer(batch, expectedOffset);',
    replace: 'this.#answer(batch, expectedOffset);',
    why: 'a barrier is written, and what was found below it is not looked at',
  },
  {
    name: 'takes-anothers-event-for-its-own',
    file: 'commands/partition/append-batch.ts',
    find: 'return this.events[0]?.metadata.eventId === event.metadata.eventId;',
    replace: 'return this.events[0]?.metadata.version === event.metadata.version;',
    why: 'below the barrier lies what another owner wrote, and the own batch is taken for landed',
  },
  {
    name: 'reads-further-than-told',
    file: 'event-log/kafka/kafka-reader.ts',
    find: 'records: batch.records.filter(({ offset }) => offset < to)',
    replace: 'records: batch.records',
    why: 'records are read once too early and once more in their turn',
  },
  {
    name: 'decides-no-more-after-a-fault',
    file: 'commands/partition-owner.ts',
    find: 'this.#waiting.rewind();',
    replace: '',
    why: 'commands whose append came to nothing wait for ever',
  },
];

export const PLANTED_BUGS: readonly PlantedBug[] = [...APPEND_PROTOCOL_BUGS, ...FAULT_SUITE_BUGS];
