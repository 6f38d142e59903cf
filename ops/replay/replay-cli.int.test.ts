import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { runReplay } from '../../tests/support/replay-cli.ts';

const AWAY = { DATABASE_URL: 'postgres://nobody@127.0.0.1:9/nothing', KAFKA_BROKERS: undefined, REDIS_HOST: undefined };

describe('the command line of replay', () => {
  it('REPLAY-1 shows what there is', async () => {
    const { exit, stdout, stderr } = await runReplay(['--help'], AWAY);
    assert.equal(exit, 0, stderr);
    assert.match(stdout, /status/);
  });

  for (const args of [['nonsense'], ['status', '--nonsense'], ['status', 'too much']]) {
    it(`REPLAY-2 refuses "${args.join(' ')}"`, async () => {
      const { exit, stdout, stderr } = await runReplay(args, AWAY);
      assert.deepEqual([exit, stdout], [2, ''], stderr);
      assert.match(stderr, /^error: /);
    });
  }

  it('REPLAY-2 says in one line what cannot be reached', async () => {
    const { exit, stderr } = await runReplay(['status'], AWAY);
    assert.equal(exit, 3, stderr);
    assert.match(stderr, /^replay: .*cannot be reached.*\n$/);
  });

  it('REPLAY-2 says in one line which setting is wrong', async () => {
    const { exit, stderr } = await runReplay(['status'], { ...AWAY, LOG_PARTITIONS: 'many' });
    assert.equal(exit, 2, stderr);
    assert.match(stderr, /^replay: .*LOG_PARTITIONS.*\n$/);
  });
});
