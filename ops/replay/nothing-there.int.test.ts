// A database that nobody has projected into yet: what verbs say there.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { createFreshDatabase, type FreshDatabase } from '../../tests/support/fresh-database.ts';
import { runReplay } from '../../tests/support/replay-cli.ts';
import { stackEnv } from '../../tests/support/stack-env.ts';

const WRONG = [
  ['verify', 'nonsense'],
  ['rebuild', 'nonsense'],
  ['versions', 'show', 'nonsense'],
  ['drop', 'history', '--previous'],
  ['events', 'show', '--room', 'lobby'],
];
const AWAY = [['as-of', '--room', 'lobby', '--at', '1']];
const REFUSED = [
  ['rebuild', 'history'],
  ['rebuild', 'history', '--dry-run'],
  ['pause', 'history'],
  ['resume', 'history'],
  ['cancel', 'history'],
  ['flip', 'history'],
  ['rollback', 'history'],
  ['verify', 'history'],
  ['repair', 'history', '--room', 'lobby'],
  ['diff', 'history', '--with', '.'],
  ['audit', '--room', 'lobby'],
  ['cache', 'rebuild'],
  ['dlq', 'list'],
  ['dlq', 'show', 'room-lobby'],
  ['dlq', 'retry', '--all'],
  ['dlq', 'discard', 'room-lobby', '--yes'],
  ['versions', 'show', 'history'],
];

describe('replay where nothing was ever projected', () => {
  let database: FreshDatabase;
  const run = (args: string[]) =>
    runReplay(args, { DATABASE_URL: database.url, KAFKA_BROKERS: undefined, REDIS_HOST: undefined });

  before(async () => {
    database = await createFreshDatabase(stackEnv.databaseUrl(), 'nothing');
  });

  after(() => database.drop());

  for (const [exit, commands] of [
    [2, WRONG],
    [3, AWAY],
    [4, REFUSED],
  ] as const) {
    for (const args of commands) {
      it(`REPLAY-2 ${args.join(' ')} ends with ${exit} and one line`, async () => {
        const end = await run(args);
        assert.equal(end.exit, exit, end.stderr);
        assert.match(end.stderr, /^replay: .+\n$/);
        assert.equal(end.stdout, '');
      });
    }
  }

  it('REPLAY-66 status shows that there is nothing', async () => {
    const { exit, stderr } = await run(['status']);
    assert.equal(exit, 0, stderr);
    assert.match(stderr, /Nothing was ever projected/);
  });
});
