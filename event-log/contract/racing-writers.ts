// Contract: two writers on one partition. The log must hold exactly what was acknowledged, whatever happens to connections.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type EventLog, LogUnavailableError, OutcomeUnknownError } from '../event-log.ts';
import type { OpenHarness } from '../event-log-contract.ts';
import { onFreshLog, readAll, record, settle, textsOf, until, untilAvailable } from './log-probe.ts';

type Writer = {
  readonly name: string;
  readonly log: EventLog;
  /** The commands the log said yes to, in the order it did. */
  readonly acknowledged: string[];
  /** Everything below it has been read. */
  next: number;
  conflicts: number;
  unknowns: number;
};

/** Attempts at one group; a writer that loses as often has met no rival but a fault. */
const MAX_ATTEMPTS = 2_000;

export function describeRacingWriters(openHarness: OpenHarness): void {
  describe('racing writers', () => {
    it(
      "a fresh reader finds exactly the 3,000 acknowledged commands of two writers, each once, in each one's order",
      onFreshLog(openHarness, 1, async ({ log, openAnother }) => {
        const start = await log.head(0);
        const writers = [newWriter('left', log, start), newWriter('right', await openAnother(), start)];
        await Promise.all(writers.map((writer) => writeAll(writer, 1_500)));
        assertExactlyAcknowledged(writers, textsOf(await readAll(await openAnother(), 0, start)));
        const conflicts = writers.reduce((sum, writer) => sum + writer.conflicts, 0);
        assert.ok(conflicts >= 20, `only ${conflicts} conflicts: the writers did not race`);
      }),
    ).timeout(60_000);

    it(
      'the same while the connections of one of them are cut and its answers get lost',
      onFreshLog(openHarness, 1, async ({ log, openAnother, openThroughProxy }) => {
        const start = await log.head(0);
        const { log: far, faults } = await openThroughProxy();
        const writers = [newWriter('near', log, start), newWriter('far', far, start)] as const;
        const writing = Promise.all(writers.map((writer) => writeAll(writer, 300)));
        for (let round = 1; round <= 12; round++) {
          const target = Math.min(writers[1].acknowledged.length + 12, 300);
          await until('the far writer gets on', () => writers[1].acknowledged.length >= target, 30_000);
          if (round % 3 === 0) faults.swallowAnswers();
          else faults.cut();
        }
        await writing;
        assertExactlyAcknowledged(writers, textsOf(await readAll(await openAnother(), 0, start)));
        assert.ok(writers[1].unknowns >= 1, 'no append ended without an answer');
      }),
    ).timeout(90_000);
  });
}

function newWriter(name: string, log: EventLog, next: number): Writer {
  return { name, log, acknowledged: [], next, conflicts: 0, unknowns: 0 };
}

/** Sends its commands in groups of one to three, each group again until the log has said yes to it. */
async function writeAll(writer: Writer, commands: number): Promise<void> {
  for (let sent = 0, group = 0; sent < commands; group++) {
    const size = Math.min(1 + (group % 3), commands - sent);
    const texts = Array.from({ length: size }, (_, index) => `${writer.name} ${sent + index}`);
    for (let attempt = 1; !(await tryAppend(writer, texts)); attempt++) {
      assert.ok(attempt < MAX_ATTEMPTS, `${writer.name} gets nowhere with ${texts}`);
    }
    writer.acknowledged.push(...texts);
    sent += size;
  }
}

async function tryAppend(writer: Writer, texts: string[]): Promise<boolean> {
  const { log } = writer;
  try {
    const result = await log.append(
      0,
      writer.next,
      texts.map((text) => record(text)),
    );
    if (result.kind === 'appended') {
      assert.equal(result.firstOffset, writer.next);
      writer.next += texts.length;
      return true;
    }
    writer.conflicts++;
    await untilAvailable(() => readAll(log, 0, writer.next, result.head));
    writer.next = result.head;
    return false;
  } catch (error) {
    if (error instanceof LogUnavailableError) return false;
    if (!(error instanceof OutcomeUnknownError)) throw error;
    writer.unknowns++;
    const { records, barrier } = await settle(log, 0, writer.next);
    writer.next = barrier + 1;
    const own = textsOf(records).filter((text) => texts.includes(text));
    assert.ok(own.length === 0 || own.length === texts.length, `a part of a group landed: ${own}`);
    return own.length > 0;
  }
}

function assertExactlyAcknowledged(writers: readonly Writer[], found: string[]): void {
  for (const { name, acknowledged } of writers) {
    assert.deepEqual(
      found.filter((text) => text.startsWith(`${name} `)),
      acknowledged,
    );
  }
  assert.equal(
    found.length,
    writers.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0),
  );
}
