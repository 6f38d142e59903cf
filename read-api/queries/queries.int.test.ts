import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { DatabaseUnavailableError } from '../../platform/database-faults.ts';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { type HistoryHarness, openHistoryHarness, toChunk, toRecords } from '../../tests/support/history-harness.ts';

describe('queries of the history', () => {
  let harness: HistoryHarness;
  const room = roomHistory('lobby');

  before(async () => {
    harness = await openHistoryHarness();
    const sink = harness.openSink();
    await sink.load([0, 1]);
    const events = [
      room.next('ada', made.room('Lobby')),
      room.next('bob', made.joined('bob')),
      room.next('bob', made.said('one')),
      room.next('ada', made.edited('Hall', 'wide')),
      room.next('bob', made.said('two')),
      room.next('bob', made.left('bob')),
      room.next('ada', made.said('three')),
      room.next('ada', { type: 'RoomArchived' }),
    ];
    await sink.write(toChunk(toRecords(harness.codec, events, 0, 1), 0, 1));
  });

  after(() => harness.close());

  it('READ-14 a snapshot shows the room, its members, its newest messages and how far it is', async () => {
    const snapshot = await harness.queries.roomSnapshot('lobby', 2);
    assert.partialDeepStrictEqual(snapshot, {
      room: { id: 'lobby', name: 'Hall', description: 'wide', archived: true, memberCount: 1, version: 8 },
      members: [{ userId: 'ada', username: 'the ada', role: 'owner', joinedAt: '2026-01-02T03:04:05.001Z' }],
      version: 8,
      partition: 1,
      checkpoint: 8,
    });
    assert.deepEqual(
      snapshot?.messages.map(({ message }) => message),
      ['two', 'three'],
    );
    assert.equal(await harness.queries.roomSnapshot('none'), null);
  });

  it('READ-14 law: a snapshot belongs to one version, also while the room is being written to', async () => {
    const busy = roomHistory('busy');
    const sink = harness.openSink();
    let offset = (await sink.load([0, 1])).get(0) ?? 0;
    const write = async (): Promise<void> => {
      const next = [0, 1, 2].map((at) => busy.next('ada', at > 0 || busy.version > 0 ? made.said('x') : made.room()));
      await sink.write(toChunk(toRecords(harness.codec, next, offset), offset));
      offset += next.length;
    };
    await write();
    for (let round = 0; round < 30; round++) {
      const [snapshot] = await Promise.all([harness.queries.roomSnapshot('busy', 100), write()]);
      assert.ok(snapshot);
      const { version, checkpoint, messages } = snapshot;
      assert.equal(checkpoint, version);
      assert.equal(messages.at(-1)?.version, version);
    }
  });

  it('READ-15 gives every event after a version, ascending and dense', async () => {
    const kindsAfter = async (version: number, limit: number): Promise<unknown[]> =>
      (await harness.queries.eventsAfter('lobby', version, limit)).map((change) => [
        change.version,
        'message' in change ? change.message.message : change.event.type,
      ]);
    assert.deepEqual(await kindsAfter(0, 100), [
      [1, 'RoomCreated'],
      [2, 'MemberJoined'],
      [3, 'one'],
      [4, 'RoomDetailsEdited'],
      [5, 'two'],
      [6, 'MemberLeft'],
      [7, 'three'],
      [8, 'RoomArchived'],
    ]);
    assert.deepEqual(await kindsAfter(5, 2), [
      [6, 'MemberLeft'],
      [7, 'three'],
    ]);
    assert.deepEqual(await kindsAfter(8, 100), []);
  });

  it('READ-15 gives events exactly as the log has them', async () => {
    const [first] = await harness.queries.eventsAfter('lobby', 0, 1);
    assert.ok(first && 'event' in first);
    assert.deepEqual(first.event, roomHistory('lobby').next('ada', made.room('Lobby')));
  });

  it('says that history is not there before the projection has made its tables', async () => {
    const other = await openHistoryHarness();
    try {
      await assert.rejects(other.queries.roomSnapshot('lobby'), DatabaseUnavailableError);
      await assert.rejects(other.queries.checkpoints(), DatabaseUnavailableError);
    } finally {
      await other.close();
    }
  });
});
