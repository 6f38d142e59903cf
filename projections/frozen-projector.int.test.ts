import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { until } from '../event-log/contract/log-probe.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import type { FreezableAnswer } from '../tests/support/freezable-projector.ts';
import { type HistoryHarness, openHistoryHarness, toChunk, toRecords } from '../tests/support/history-harness.ts';
import { stackEnv } from '../tests/support/stack-env.ts';
import { openTcpProxy } from '../tests/support/tcp-proxy.ts';
import type { PostgresSink } from './postgres-sink.ts';
import type { Chunk, WriteOutcome } from './sink.ts';

const ZOMBIE = new URL('../tests/support/freezable-projector.ts', import.meta.url);
/** Seconds after which a successor can write, and some for a busy machine. */
const TAKE_OVER_MS = 5_000 + 5_000;

describe('a projector that is frozen in the middle of a chunk', () => {
  let harness: HistoryHarness;
  const opened: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    harness = await openHistoryHarness();
    opened.push(() => harness.close());
    await harness.openSink().load([0]);
  });

  afterEach(async () => {
    for (const close of opened.splice(0).reverse()) await close();
  });

  function chunkBy(user: string): Chunk {
    const room = roomHistory('red');
    const events = [
      room.next(user, made.room()),
      room.next(user, made.said('alive')),
      room.next(user, made.said('well')),
    ];
    return toChunk(toRecords(harness.codec, events), 0);
  }

  async function speakers(): Promise<unknown> {
    const { rows } = await harness.db.raw<{ rows: { user_id: string; text: string }[] }>(
      `select user_id, text from ${harness.tables.messages} order by version`,
    );
    return rows.map(({ user_id, text }) => `${user_id}: ${text}`);
  }

  it('PROJ-20 keeps a successor waiting for five seconds at most, and writes nothing when it wakes up', async () => {
    const [historySchema = '', bookkeepingSchema = ''] = harness.schemas.keys();
    const zombie = fork(ZOMBIE, [historySchema, bookkeepingSchema, stackEnv.databaseUrl()]);
    opened.push(() => killed(zombie));
    assert.equal((await answerOf(zombie)).kind, 'in the middle');
    zombie.kill('SIGSTOP');

    const successor = harness.openSink();
    await successor.load([0]);
    const begun = performance.now();
    assert.equal(await successor.write(chunkBy('successor')), 'written');
    assert.ok(performance.now() - begun < TAKE_OVER_MS, 'the frozen one held its locks for too long');

    zombie.send('go on');
    zombie.kill('SIGCONT');
    assert.deepEqual(await answerOf(zombie), { kind: 'outcome', outcome: 'fenced', attempts: 2 });
    assert.deepEqual(await speakers(), ['successor: alive', 'successor: well']);
    assert.equal((await successor.load([0])).get(0), 3);
  });

  it('PROJ-20 writes nothing either when what it said last arrives after its successor has moved on', async () => {
    const url = new URL(stackEnv.databaseUrl());
    const proxy = await openTcpProxy({ host: url.hostname, port: Number(url.port) });
    opened.push(() => proxy.close());
    url.host = `127.0.0.1:${proxy.port}`;
    const locks = { standStillMs: 300, waitMs: 100 };
    const [direct, behindProxy] = [harness.openWriterDb(locks), harness.openWriterDb(locks, url.href)];
    opened.push(
      () => direct.destroy(),
      () => behindProxy.destroy(),
    );
    const zombie = harness.openSink({ db: behindProxy });
    await zombie.load([0]);
    const statementsOfChunk = await countStatements(behindProxy, () => zombie.write(chunkBy('somebody')));
    assert.ok(statementsOfChunk > 5);
    // After each of them what it says next is under way for a while, at last only the commit.
    for (let statements = 0; statements < statementsOfChunk - 1; statements++) {
      await harness.clear();
      await zombie.load([0]);
      const successor = harness.openSink({ db: direct });
      await successor.load([0]);
      const passed = holdAfter(behindProxy, statements, () => proxy.holdRequests());
      const held = outcomeOf(zombie, chunkBy('zombie'));
      await passed;
      await until('the successor writes', async () => (await outcomeOf(successor, chunkBy('successor'))) === 'written');
      await proxy.releaseRequests();
      proxy.cut();
      assert.equal(await held, 'unknown');
      assert.equal(await zombie.write(chunkBy('zombie')), 'fenced');
      assert.deepEqual(await speakers(), ['successor: alive', 'successor: well']);
    }
  });

  it('PROJ-20 does not hold up for ever who waits for it, and says that trying again may help', async () => {
    const locks = { standStillMs: 60_000, waitMs: 50 };
    const [direct, frozen] = [harness.openWriterDb(locks), harness.openWriterDb(locks)];
    opened.push(
      () => direct.destroy(),
      () => frozen.destroy(),
    );
    const successor = harness.openSink({ db: direct });
    await successor.load([0]);
    const tx = await frozen.transaction();
    await tx.raw(`select 1 from ${harness.tables.checkpoints} for update`);
    await assert.rejects(successor.write(chunkBy('successor')), { retryable: true });
    await tx.rollback();
    assert.equal(await successor.write(chunkBy('successor')), 'written');
  });
});

/** Resolves when it has ended. Its channel may break with something on the way in it, which is no fault of anybody's. */
async function killed(child: ChildProcess): Promise<void> {
  child.on('error', () => undefined);
  const exited = new Promise((resolve) => child.once('exit', resolve));
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await exited;
}

async function answerOf(child: ChildProcess): Promise<FreezableAnswer> {
  const [answer] = (await once(child, 'message')) as [FreezableAnswer];
  return answer;
}

/** A chunk that is held back ends without anybody knowing how. */
async function outcomeOf(sink: PostgresSink, chunk: Chunk): Promise<WriteOutcome | 'unknown'> {
  try {
    return await sink.write(chunk);
  } catch (error) {
    if (!(error instanceof Error && 'retryable' in error && error.retryable === true)) throw error;
    return 'unknown';
  }
}

async function countStatements(db: HistoryHarness['db'], run: () => Promise<unknown>): Promise<number> {
  let answered = 0;
  const count = (): void => {
    answered += 1;
  };
  db.on('query-response', count);
  await run();
  db.off('query-response', count);
  return answered;
}

/** Calls `hold` when that many more statements were answered. */
function holdAfter(db: HistoryHarness['db'], statements: number, hold: () => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let answered = 0;
  const count = (): void => {
    if (answered++ !== statements) return;
    db.off('query-response', count);
    hold();
    resolve();
  };
  db.on('query-response', count);
  return promise;
}
