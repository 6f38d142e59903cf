import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import type { Chunk, ProjectedRecord } from '../sink.ts';
import { foldRuns } from './fold-runs.ts';

function chunkOf(...contents: (ChatEvent | { fault: string; key: string })[]): Chunk {
  const records = contents.map((content, offset): ProjectedRecord => {
    const key = 'fault' in content ? content.key : content.metadata.stream;
    const record = { offset, key, value: Buffer.alloc(0), appendedAt: 0 };
    return { partition: 0, record, content: 'fault' in content ? content : { event: content } };
  });
  return { records, moves: new Map([[0, { from: 0, to: records.length }]]) };
}

describe('folding a chunk for the cache', () => {
  it('makes one run of the events of a room that follow each other', () => {
    const room = roomHistory('lobby');
    const { runs } = foldRuns(
      chunkOf(
        room.next('ada', made.room()),
        room.next('bob', made.joined('bob')),
        room.next('bob', made.said('hello')),
        room.next('ada', made.edited('Hall', '')),
        room.next('bob', made.left('bob')),
      ),
    );
    assert.partialDeepStrictEqual(runs, [
      {
        roomId: 'lobby',
        firstVersion: 1,
        lastVersion: 5,
        isCut: false,
        messages: [{ message: 'hello', version: 3 }],
        members: [
          { version: 1, userId: 'ada', isMember: true },
          { version: 2, userId: 'bob', isMember: true },
          { version: 5, userId: 'bob', isMember: false },
        ],
      },
    ]);
  });

  it('begins another run behind a gap', () => {
    const room = roomHistory('lobby');
    const first = room.next('ada', made.room());
    room.next('ada', made.said('lost'));
    const { runs } = foldRuns(chunkOf(first, room.next('ada', made.said('x')), room.next('ada', made.said('y'))));
    assert.deepEqual(
      runs.map(({ firstVersion, lastVersion }) => [firstVersion, lastVersion]),
      [
        [1, 1],
        [3, 4],
      ],
    );
  });

  it('passes over events that came before', () => {
    const room = roomHistory('lobby');
    const [first, second] = [room.next('ada', made.room()), room.next('ada', made.said('x'))];
    const { runs } = foldRuns(chunkOf(first, second, first, second));
    assert.equal(runs.length, 1);
    assert.equal(runs[0]?.messages.length, 1);
  });

  it('drops the room of a record that cannot be read', () => {
    assert.deepEqual(foldRuns(chunkOf({ fault: 'no event', key: 'room-lobby' })).dropped, ['lobby']);
  });

  it('PROJ-15 keeps the newest messages of a long run only, and says so', () => {
    const room = roomHistory('lobby');
    const events = Array.from({ length: LIMITS.cachedMessages + 5 }, (_, at) => room.next('ada', made.said(`${at}`)));
    const [run] = foldRuns(chunkOf(...events)).runs;
    assert.equal(run?.isCut, true);
    assert.equal(run.messages.length, LIMITS.cachedMessages);
    assert.equal(run.messages.at(-1)?.version, LIMITS.cachedMessages + 5);
  });
});
