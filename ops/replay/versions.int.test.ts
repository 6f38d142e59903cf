import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import pino from 'pino';
import { openEventLog } from '../../event-log/open-event-log.ts';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { createFreshDatabase, type FreshDatabase, runSql } from '../../tests/support/fresh-database.ts';
import { openHistoryOfVersions } from '../../tests/support/history-v2/open-history.ts';
import { type ReplayEnd, runReplay } from '../../tests/support/replay-cli.ts';
import { stackEnv } from '../../tests/support/stack-env.ts';

const PARTITIONS = 2;

describe('replay versions', function () {
  this.timeout(120_000);
  let database: FreshDatabase;

  before(async () => {
    database = await createFreshDatabase(stackEnv.databaseUrl(), 'cli_versions');
    const settings = {
      kind: 'postgres' as const,
      databaseUrl: database.url,
      partitions: PARTITIONS,
      ownerSessionMs: 2_000,
    };
    const { log, codec } = await openEventLog(settings, { logger: pino({ level: 'silent' }), clientId: 'versions' });
    const room = roomHistory('lobby');
    const events = [room.next('ada', made.room()), room.next('ada', made.said('hello'))];
    await log.append(
      0,
      await log.head(0),
      events.map((event) => ({ key: event.metadata.stream, value: codec.encode(event) })),
    );
    for (const versions of [1, 2])
      await openHistoryOfVersions({ databaseUrl: database.url, log, codec, newest: versions });
    await log.close();
  });

  after(() => database.drop());

  async function replay(...args: string[]): Promise<ReplayEnd & { json: Record<string, unknown> | null }> {
    const env = { DATABASE_URL: database.url, KAFKA_BROKERS: undefined, REDIS_HOST: undefined };
    const end = await runReplay(['--json', 'versions', ...args], env);
    return { ...end, json: end.stdout === '' ? null : (JSON.parse(end.stdout) as Record<string, unknown>) };
  }

  async function refuses(exit: number, args: string[], line: RegExp): Promise<void> {
    const before = await runSql(database.url, 'select * from roomlog.projection_live');
    const end = await replay(...args);
    assert.equal(end.exit, exit, end.stderr);
    assert.match(end.stderr, line);
    assert.equal(end.stdout, '');
    assert.deepEqual(await runSql(database.url, 'select * from roomlog.projection_live'), before);
  }

  it('REPLAY-117 shows the versions, moves the live one there and back, and drops the other', async () => {
    assert.deepEqual((await replay('show', 'history')).json, {
      projection: 'history',
      live: 1,
      automaticAbove: 0,
      versions: [
        { version: 1, state: 'live', eventsBehindLive: 0 },
        { version: 2, state: 'being made, or not taken over yet', eventsBehindLive: 0 },
      ],
    });
    const moved = { projection: 'history', outcome: 'moved' };
    assert.deepEqual((await replay('flip', 'history', '--to', '2')).json, { ...moved, live: 2, before: 1 });
    assert.deepEqual((await replay('flip', 'history', '--to', '2')).json, {
      projection: 'history',
      live: 2,
      outcome: 'unchanged',
    });
    assert.deepEqual((await replay('flip', 'history', '--to', '1')).json, { ...moved, live: 1, before: 2 });
    await refuses(4, ['drop', 'history', '--version', '1'], /^replay: version 1 of history is the live one\n$/);
    const dropped = await replay('drop', 'history', '--version', '2');
    assert.deepEqual(dropped.json, { projection: 'history', version: 2, outcome: 'dropped' });
    const [left] = await runSql(database.url, `select to_regclass('history_v2.rooms') as name`);
    assert.equal(left?.name, null);
  });

  it('REPLAY-2 REPLAY-117 changes nothing where it cannot', async () => {
    await refuses(2, ['flip', 'history', '--to', '9'], /^replay: there is no version 9 of history\n$/);
    await refuses(2, ['drop', 'history', '--version', '9'], /^replay: there is no version 9 of history\n$/);
    await refuses(2, ['flip', 'cache', '--to', '1'], /^replay: there is no projection cache that has versions/);
    await refuses(2, ['flip', 'history', '--to', 'many'], /^error: .*whole number/);
    await refuses(2, ['flip', 'history'], /^error: required option/);
  });
});
