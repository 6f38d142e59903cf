import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import type { ChatEvent } from '../../../schemas/generated/events.ts';
import { made, roomHistory } from '../../../tests/support/chat-events.ts';
import { assertRefused } from '../../../tests/support/cli-logs.ts';
import { openProjectedLog, type ProjectedLog } from '../../../tests/support/projected-log.ts';
import { runReplay } from '../../../tests/support/replay-cli.ts';

describe('replay as-of', () => {
  let world: ProjectedLog;
  const lobby = roomHistory('lobby');
  const events: ChatEvent[] = [
    lobby.next('ada', made.room('Lobby')),
    lobby.next('bob', made.joined('bob')),
    lobby.next('bob', made.said('hello\u001b[2J')),
    lobby.next('bob', made.left('bob')),
    lobby.next('ada', made.edited('Hall', 'wide')),
  ];

  before(async () => {
    world = await openProjectedLog('as_of');
    await world.append(events);
    await world.project();
  });
  after(() => world.close());

  it('REPLAY-92 shows a room as it was, from PostgreSQL alone', async () => {
    const { exit, stdout, stderr } = await runReplay(['as-of', '--room', 'lobby', '--at', '3'], world.settings);
    assert.equal(exit, 0, stderr);
    assert.match(
      stdout,
      /^room lobby in space space-1 at version 3, which came at 2026-01-02T03:04:05.003Z\n"Lobby", public/,
    );
    assert.match(stdout, /members: 2\n.*\nada +the ada +owner .*\nbob +the bob +member /);
    assert.match(stdout, /#3 {2}2026-01-02T03:04:05.003Z {2}bob: hello\\u\{1b\}\[2J\n$/);
  }).timeout(60_000);

  it('REPLAY-92 gives programs the views of the API', async () => {
    const at = new Date(events.at(-1)?.metadata.occurredAt ?? 0).toISOString();
    const args = ['--json', 'as-of', '--room', 'lobby', '--at', at, '--limit', '1'];
    const { exit, stdout, stderr } = await runReplay(args, world.settings);
    assert.equal(exit, 0, stderr);
    const shown = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(shown.chatroom, (await world.queries.roomFor('lobby', 'ada'))?.room);
    assert.partialDeepStrictEqual(shown, { version: 5, at, hasMoreMembers: false, hasMoreMessages: false });
  }).timeout(60_000);

  it('REPLAY-92 refuses a room or a point that the history does not have', async () => {
    const asOf = (room: string, at: string) => ['as-of', '--room', room, '--at', at];
    await assertRefused(2, /no room nowhere/, asOf('nowhere', '1'), world.settings);
    await assertRefused(2, /versions from 1 to 5, not 6/, asOf('lobby', '6'), world.settings);
    await assertRefused(2, /did not exist then/, asOf('lobby', '1999-01-01T00:00:00Z'), world.settings);
    await assertRefused(2, /has not come yet/, asOf('lobby', '2999-01-01T00:00:00Z'), world.settings);
    const away = { ...world.settings, DATABASE_URL: 'postgres://nobody@127.0.0.1:9/nothing' };
    await assertRefused(3, /cannot be reached/, asOf('lobby', '1'), away);
    const { exit, stdout } = await runReplay(asOf('lobby', 'noon'), world.settings);
    assert.deepEqual([exit, stdout], [2, '']);
  }).timeout(60_000);
});
