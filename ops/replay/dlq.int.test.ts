import assert from 'node:assert/strict';
import { userInfo } from 'node:os';
import { after, beforeEach, describe, it } from 'mocha';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { openProjectedLog, type ProjectedLog } from '../../tests/support/projected-log.ts';
import { type ReplayEnd, runReplay } from '../../tests/support/replay-cli.ts';

const RED = 'room-red';
const GARBAGE = Buffer.from('garbage');

describe('dlq', function () {
  this.timeout(90_000);
  let chat: ProjectedLog;
  let close = async (): Promise<void> => {};

  /** Red has a record that is no event between its second and third event, green is fine. */
  beforeEach(async () => {
    await close();
    chat = await openProjectedLog('dlq');
    close = () => chat.close();
    const [red, green] = [roomHistory('red'), roomHistory('green')];
    await chat.append([red.next('ada', made.room()), red.next('ada', made.said('one'))]);
    await chat.appendBytes(RED, GARBAGE);
    await chat.append([red.next('ada', made.said('two')), green.next('ada', made.room())]);
    await chat.project();
  });

  after(() => close());

  const dlq = (...args: string[]): Promise<ReplayEnd> => runReplay(['dlq', ...args], chat.settings);
  const json = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { stdout, stderr } = await dlq(...args, '--json');
    assert.equal(stdout.trimEnd().split('\n').length, 1, stdout + stderr);
    return JSON.parse(stdout);
  };
  const versionOf = async (room: string): Promise<number | undefined> =>
    (await chat.queries.roomSnapshot(room))?.version;

  it('REPLAY-60 lists what is parked', async () => {
    const { exit, stdout } = await dlq('list');
    assert.equal(exit, 0);
    assert.match(stdout, /history 1 +room-red +\d +\d+ +2 +20.* the record cannot be decoded/);
    assert.doesNotMatch(stdout, /green/);
    const { streams } = (await json('list')) as { streams: Record<string, unknown>[] };
    assert.deepEqual(
      streams.map(({ stream, records }) => ({ stream, records })),
      [{ stream: RED, records: 2 }],
    );
    assert.deepEqual([await versionOf('red'), await versionOf('green')], [2, 1]);
  });

  it('REPLAY-61 shows the records of a stream', async () => {
    const { exit, stdout } = await dlq('show', RED);
    assert.equal(exit, 0);
    assert.match(stdout, /7 bytes\n +no event: the record cannot be decoded: not_framed.*\n +67617262616765\n/);
    assert.match(stdout, /"type":"MessageSent".*"text":"two"/);
    const { records, count } = (await json('show', RED, '--limit', '1')) as { records: object[]; count: number };
    assert.deepEqual([records.length, count], [1, 2]);
    assert.match((await dlq('show', RED, '--limit', '1')).stdout, /and 1 more/);
  });

  it('REPLAY-62 REPLAY-63 retries in vain, discards, and goes on', async () => {
    const vain = await dlq('retry', RED);
    assert.deepEqual([vain.exit, vain.stderr], [1, '']);
    assert.match(
      vain.stdout,
      /room-red stays parked from offset \d+ on \(the record cannot .*\), records projected: 0\n/,
    );
    const trial = await dlq('discard', RED);
    assert.equal(trial.exit, 4);
    assert.match(trial.stdout, /would discard offset \d+ .*; room-red then goes on, records projected: 1\n/);
    assert.match(trial.stderr, /^replay: nothing has changed: say --yes/);
    assert.equal(await versionOf('red'), 2);
    const done = await dlq('discard', RED, '--yes');
    assert.equal(done.exit, 0, done.stderr);
    assert.equal(await versionOf('red'), 3);
    assert.match((await dlq('list')).stdout, /No stream is parked/);
    const shown = await dlq('show', RED);
    assert.match(shown.stdout, new RegExp(`not parked\\ndiscarded: offset .* by ${userInfo().username} at 20`));
    assert.equal((await dlq('retry', '--all')).exit, 0);
  });

  it('REPLAY-63 discards the record that is named, by who is named', async () => {
    await chat.appendBytes(RED, Buffer.from('more garbage'));
    await chat.project();
    const { records } = (await json('show', RED)) as { records: { offset: number }[] };
    const last = records.at(-1)?.offset;
    const first = await json('discard', RED, '--offset', String(last), '--yes', '--by', 'grace');
    assert.deepEqual((first.discarded as { offset: number }).offset, last);
    assert.deepEqual((first.rest as { outcome: string }).outcome, 'staysParked');
    assert.equal((await dlq('discard', RED, '--yes')).exit, 0);
    const { discards } = (await json('show', RED)) as { discards: { by: string }[] };
    assert.deepEqual(
      discards.map(({ by }) => by),
      [userInfo().username, 'grace'],
    );
    assert.equal(await versionOf('red'), 3);
  });

  it('REPLAY-83 what a stranger has called a stream does not reach the terminal', async () => {
    await chat.appendBytes('room-\u001b[2J\u202e\n', GARBAGE);
    await chat.project();
    const { stdout } = await dlq('list');
    assert.match(stdout, /room-\\u\{1b\}\[2J\\u\{202e\}\\u\{a\} /);
    assert.ok(!stdout.includes(String.fromCharCode(27)));
  });

  it('REPLAY-62 retries all, each by itself', async () => {
    await chat.appendBytes('room-blue', GARBAGE);
    await chat.project();
    const { exit, stdout } = await dlq('retry', '--all');
    assert.equal(exit, 1);
    assert.equal(stdout.match(/stays parked/g)?.length, 2);
  });

  it('REPLAY-64 says in one line what is wrong with what it is asked', async () => {
    const mistakes = [
      ['show', 'room-green'],
      ['retry', 'room-green'],
      ['discard', 'room-green', '--yes'],
      ['discard', RED, '--offset', '999', '--yes'],
      ['retry'],
      ['show', RED, '--limit', '0'],
    ];
    for (const args of mistakes) {
      const { exit, stdout, stderr } = await dlq(...args);
      assert.deepEqual([exit, stdout], [2, ''], `dlq ${args.join(' ')}: ${stderr}`);
      assert.match(stderr, /^(replay|error): .*\n/);
    }
  });

  it('REPLAY-64 refuses to discard an event', async () => {
    const { records } = (await json('show', RED)) as { records: { offset: number }[] };
    const { exit, stderr } = await dlq('discard', RED, '--offset', String(records.at(-1)?.offset), '--yes');
    assert.equal(exit, 4);
    assert.match(stderr, /is an event that others may have seen/);
  });

  it('REPLAY-64 refuses a database without a history', async () => {
    const empty = await openProjectedLog('dlq');
    try {
      const { exit, stderr } = await runReplay(['dlq', 'list'], empty.settings);
      assert.equal(exit, 4);
      assert.match(stderr, /never been projected/);
    } finally {
      await empty.close();
    }
  });
});
