// What lies in the log, shown by the verbs as processes, on both kinds of log.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'mocha';
import { until } from '../../../event-log/contract/log-probe.ts';
import { partitionOf } from '../../../event-log/partition-of.ts';
import type { ChatEvent } from '../../../schemas/generated/events.ts';
import { made, roomHistory } from '../../../tests/support/chat-events.ts';
import { assertRefused, type CliLog, historyOfRooms, openCliLogs } from '../../../tests/support/cli-logs.ts';
import { type ReplayEnd, runReplay, startReplay } from '../../../tests/support/replay-cli.ts';

const LOBBY = partitionOf('room-lobby', 2);

const linesOf = ({ stdout }: { stdout: string }): string[] => stdout.split('\n').filter((line) => line !== '');
const objectsOf = (end: ReplayEnd): Record<string, unknown>[] =>
  linesOf(end).map((line) => JSON.parse(line) as Record<string, unknown>);

for (const kind of ['PostgreSQL', 'Kafka'] as const) {
  describe(`replay events on ${kind}`, () => {
    const logs = openCliLogs(kind);
    const run = (args: string[], { settings }: CliLog) => runReplay(['events', ...args], settings);
    afterEach(() => logs.close());

    it('REPLAY-80 shows the records of a room between versions, offsets and times', async () => {
      const log = await logs.open();
      await log.append(historyOfRooms(['lobby', 'attic', 'cellar', 'hall']));
      const versions = (end: ReplayEnd) => objectsOf(end).map(({ event }) => (event as ChatEvent).metadata.version);
      // The option stands for the whole program, wherever it is given.
      const all = await runReplay(['--json', 'events', 'show', '--room', 'lobby'], log.settings);
      assert.deepEqual(versions(all), [1, 2, 3, 4], all.stderr);
      assert.ok(objectsOf(all).every(({ key, is }) => key === 'room-lobby' && is === 'event'));
      const json = (...args: string[]) =>
        runReplay(['--json', 'events', 'show', '--room', 'lobby', ...args], log.settings);
      assert.deepEqual(versions(await json('--from', '2', '--to', '3')), [2, 3]);
      assert.deepEqual(versions(await json('--limit', '2')), [1, 2]);
      const third = objectsOf(all)[2];
      assert.deepEqual(versions(await json('--from', `offset:${String(third?.offset)}`)), [3, 4]);
      assert.deepEqual(versions(await json('--to', `offset:${String(third?.offset)}`)), [1, 2, 3]);
      // Others may have been appended in the same millisecond.
      assert.deepEqual(versions(await json('--from', String(third?.appendedAt))).slice(-2), [3, 4]);
      assert.deepEqual(versions(await json('--to', new Date().toISOString())), [1, 2, 3, 4]);
      const text = await run(['show', '--room', 'lobby'], log);
      assert.match(linesOf(text)[2] ?? '', /MessageSent +room-lobby #3 {2}bob: .*text="hello"$/);
    }).timeout(60_000);

    it('REPLAY-82 goes on with what is written meanwhile, and ends in order when it is told to', async () => {
      const log = await logs.open();
      const room = roomHistory('lobby');
      await log.append([room.next('ada', made.room())]);
      for (const args of [
        ['show', '--room', 'lobby', '--follow'],
        ['tail', '--from', 'beginning'],
      ]) {
        const following = startReplay(['events', ...args], log.settings);
        const says = (text: string) => until(text, () => following.output.stdout.includes(text), 20_000);
        await says('RoomCreated');
        const text = `later, ${args.join(' ')}`;
        await log.append([room.next('ada', made.said(text))]);
        await says(text);
        following.kill('SIGINT');
        const { exit, stderr } = await following.ended;
        assert.deepEqual([exit, stderr], [0, '']);
      }
    }).timeout(60_000);

    it('REPLAY-81 tails all partitions or some, from anywhere', async () => {
      const log = await logs.open();
      await log.append(historyOfRooms(['lobby', 'attic', 'cellar', 'hall']));
      const barrier = await log.log.barrier(LOBBY);
      const tail = (...args: string[]) => runReplay(['--json', 'events', 'tail', '--no-follow', ...args], log.settings);
      const all = objectsOf(await tail('--from', 'beginning'));
      const heads = await Promise.all([0, 1].map((partition) => log.log.head(partition)));
      assert.equal(all.length, (heads[0] ?? 0) + (heads[1] ?? 0));
      const times = all.map(({ appendedAt }) => String(appendedAt));
      assert.deepEqual(times, [...times].sort());
      const some = objectsOf(await tail('--from', 'beginning', '--partition', String(LOBBY)));
      assert.deepEqual(
        some.map(({ partition, offset }) => [partition, offset]),
        Array.from({ length: barrier + 1 }, (_, offset) => [LOBBY, offset]),
      );
      assert.equal(some.at(-1)?.is, 'barrier');
      const fromOffset = await tail('--from', String(barrier - 1), '--partition', String(LOBBY), '--limit', '1');
      assert.deepEqual(
        objectsOf(fromOffset).map(({ offset }) => offset),
        [barrier - 1],
      );
      assert.deepEqual(objectsOf(await tail()), []);
    }).timeout(60_000);

    it('REPLAY-84 refuses what is not in the log', async () => {
      const log = await logs.open();
      await log.append(historyOfRooms(['lobby']));
      const show = ['show', '--room', 'lobby'];
      await assertRefused(2, /nothing of room nowhere/, ['events', 'show', '--room', 'nowhere'], log.settings);
      await assertRefused(2, /nothing of room lobby/, ['events', ...show, '--from', '5'], log.settings);
      await assertRefused(
        2,
        /offsets from 0 to below 4, not 5/,
        ['events', ...show, '--from', 'offset:5'],
        log.settings,
      );
      await assertRefused(2, /has not come yet/, ['events', ...show, '--from', '2999-01-01T00:00:00Z'], log.settings);
      await assertRefused(2, /partitions 0 to 1, not 2/, ['events', 'tail', '--partition', '2'], log.settings);
      for (const args of [
        [...show, '--from', 'yesterday'],
        [...show, '--follow', '--to', '3'],
        ['tail', '--limit', '0'],
      ]) {
        const { exit, stdout, stderr } = await run(args, log);
        assert.deepEqual([exit, stdout], [2, ''], stderr);
      }
    }).timeout(60_000);
  });
}

describe('replay events', () => {
  it('REPLAY-81 marks on Kafka what is void, with the offset that it predicted', async () => {
    const logs = openCliLogs('Kafka');
    try {
      const { log, codec, settings, append } = await logs.open(1);
      const room = roomHistory('lobby');
      await append([room.next('ada', made.room())]);
      const stray = room.next('ada', made.said('lost'));
      const lost = await log.append(0, 0, [{ key: 'room-lobby', value: codec.encode(stray) }]);
      assert.equal(lost.kind, 'conflict');
      const { stdout } = await runReplay(['events', 'tail', '--from', 'beginning', '--no-follow'], settings);
      assert.match(stdout, /text="lost" {2}\[void: predicted offset 0\]\n/);
      const shown = await runReplay(['--json', 'events', 'show', '--room', 'lobby'], settings);
      assert.deepEqual(
        objectsOf(shown).map(({ is, predicted }) => [is, predicted]),
        [
          ['event', undefined],
          ['void', ['0']],
        ],
      );
    } finally {
      await logs.close();
    }
  }).timeout(60_000);

  it('REPLAY-84 says in one line that the log cannot be reached', async () => {
    const away = { DATABASE_URL: 'postgres://nobody@127.0.0.1:9/nothing', KAFKA_BROKERS: undefined };
    const { exit, stdout, stderr } = await runReplay(['events', 'tail'], away);
    assert.deepEqual([exit, stdout], [3, ''], stderr);
    assert.match(stderr, /^replay: .*\n$/);
  });
});
