// Contract: appends whose answer got lost. The rule of docs/decisions/0001-predicted-offsets.md under test: unknown → barrier →
// read → a definite answer, that nothing arriving late can change.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { LogUnavailableError, OutcomeUnknownError } from '../event-log.ts';
import type { OpenHarness } from '../event-log-contract.ts';
import {
  endsUnknown,
  mustAppend,
  onFreshLog,
  readAll,
  record,
  settle,
  textsOf,
  until,
  untilAvailable,
} from './log-probe.ts';

export function describeBrokenConnections(openHarness: OpenHarness): void {
  describe('broken connections', () => {
    describeUnknownOutcomes(openHarness);
    describeLateArrivals(openHarness);
    describeUnreachable(openHarness);
  });
}

function describeUnknownOutcomes(openHarness: OpenHarness): void {
  it(
    'an append that landed while its connection broke: unknown, and the barrier settles that it is there',
    onFreshLog(openHarness, 1, async ({ log, openThroughProxy }) => {
      const { log: far, faults } = await openThroughProxy();
      const start = await log.head(0);
      await mustAppend(far, 0, start, ['before']);
      faults.swallowAnswers();
      const unknown = endsUnknown(far.append(0, start + 1, [record('landed'), record('landed too')]));
      await until('the records are in the log', async () => (await log.head(0)) > start + 1);
      faults.cut();
      assert.ok(await unknown, 'the append did not end with OutcomeUnknownError');
      const { records, barrier } = await settle(far, 0, start + 1);
      assert.deepEqual(textsOf(records), ['landed', 'landed too']);
      await mustAppend(far, 0, barrier + 1, ['after']);
      assert.deepEqual(textsOf(await readAll(log, 0, start)), ['before', 'landed', 'landed too', 'after']);
    }),
  );

  it(
    'an append that never reached the log: unknown, and the barrier settles that it is not there',
    onFreshLog(openHarness, 1, async ({ log, openThroughProxy }) => {
      const { log: far, faults } = await openThroughProxy();
      const start = await log.head(0);
      await mustAppend(far, 0, start, ['before']);
      faults.swallowRequests();
      const unknown = endsUnknown(far.append(0, start + 1, [record('lost')]));
      // The request must have left the client before the connection breaks, else the client may rightly say that it never did.
      await until('the request has left', () => faults.swallowedBytes() > 0);
      faults.cut();
      assert.ok(await unknown, 'the append did not end with OutcomeUnknownError');
      const { records, barrier } = await settle(far, 0, start + 1);
      assert.deepEqual(records, []);
      await mustAppend(far, 0, barrier + 1, ['after']);
      assert.deepEqual(textsOf(await readAll(log, 0, start)), ['before', 'after']);
    }),
  );

  it(
    'an append that is never answered: unknown within its deadline, and the same handle works on',
    onFreshLog(openHarness, 1, async ({ log, openThroughProxy }) => {
      const { log: far, faults } = await openThroughProxy();
      const start = await log.head(0);
      await mustAppend(far, 0, start, ['before']);
      faults.swallowAnswers();
      const began = Date.now();
      assert.ok(await endsUnknown(far.append(0, start + 1, [record('landed')])));
      assert.ok(Date.now() - began < 3_000, `took ${Date.now() - began} ms`);
      const { records, barrier } = await settle(far, 0, start + 1);
      assert.deepEqual(textsOf(records), ['landed']);
      await mustAppend(far, 0, barrier + 1, ['after']);
    }),
  );
}

function describeLateArrivals(openHarness: OpenHarness): void {
  it(
    'an append that reaches the log after the barrier never becomes valid',
    onFreshLog(openHarness, 1, async ({ log, openThroughProxy }) => {
      const { log: far, faults } = await openThroughProxy();
      const start = await log.head(0);
      await mustAppend(far, 0, start, ['before']);
      faults.holdRequests();
      assert.ok(await endsUnknown(far.append(0, start + 1, [record('late'), record('late too')])));
      const { records, barrier } = await settle(far, 0, start + 1);
      assert.deepEqual(records, []);
      await faults.releaseRequests();
      assert.deepEqual(textsOf(await readAll(log, 0, start)), ['before']);
      const head = await log.head(0);
      assert.ok(head >= barrier + 1);
      await mustAppend(log, 0, head, ['after']);
      assert.deepEqual(textsOf(await readAll(log, 0, start)), ['before', 'after']);
    }),
  );

  it(
    'a barrier keeps out an append that was decided before it, wherever it comes from',
    onFreshLog(openHarness, 1, async ({ log, openAnother }) => {
      const start = await log.head(0);
      const zombie = await openAnother();
      await mustAppend(log, 0, start, ['before']);
      const barrier = await log.barrier(0);
      assert.equal(barrier, start + 1);
      const late = await zombie.append(0, barrier, [record('decided before the barrier')]);
      assert.equal(late.kind, 'conflict');
      assert.deepEqual(textsOf(await readAll(log, 0, start)), ['before']);
    }),
  );

  it(
    'a duplicate of everything that was ever sent is void',
    onFreshLog(openHarness, 1, async ({ log, openThroughProxy }) => {
      const { log: far, faults } = await openThroughProxy();
      const start = await log.head(0);
      await mustAppend(far, 0, start, ['one']);
      await mustAppend(far, 0, start + 1, ['two', 'three']);
      await mustAppend(far, 0, start + 3, ['four']);
      assert.ok((await faults.replay()) > 0, 'the log did not answer the replayed bytes');
      assert.deepEqual(textsOf(await readAll(log, 0, start)), ['one', 'two', 'three', 'four']);
      const head = await log.head(0);
      await mustAppend(log, 0, head, ['five']);
      assert.deepEqual(textsOf(await readAll(log, 0, start)), ['one', 'two', 'three', 'four', 'five']);
    }),
  );
}

function describeUnreachable(openHarness: OpenHarness): void {
  it(
    'while the log cannot be reached every call fails in time, none claims success, and all work again afterwards',
    onFreshLog(openHarness, 1, async ({ log, openThroughProxy }) => {
      const { log: far, faults } = await openThroughProxy();
      const start = await log.head(0);
      await mustAppend(far, 0, start, ['before']);
      await faults.refuse();
      const began = Date.now();
      await assert.rejects(
        far.append(0, start + 1, [record('no')]),
        (error) => error instanceof LogUnavailableError || error instanceof OutcomeUnknownError,
      );
      await assert.rejects(far.head(0), LogUnavailableError);
      await assert.rejects(far.barrier(0), LogUnavailableError);
      await assert.rejects(readAll(far, 0, start, start + 1), LogUnavailableError);
      assert.ok(Date.now() - began < 10_000, `took ${Date.now() - began} ms`);
      assert.equal(await log.head(0), start + 1);
      await faults.accept();
      assert.equal(await untilAvailable(() => far.head(0)), start + 1);
      const { barrier } = await settle(far, 0, start + 1);
      await mustAppend(far, 0, barrier + 1, ['after']);
      assert.deepEqual(textsOf(await readAll(log, 0, start)), ['before', 'after']);
    }),
  );
}
