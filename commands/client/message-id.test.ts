import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { messageIdFor, messageIdOf } from './message-id.ts';

const said = { roomId: 'r1', userId: 'ada', commandId: 'file:17' };

describe('the id of a message', () => {
  it('is the same for the same command, and is a UUID', () => {
    assert.equal(messageIdOf(said), messageIdOf({ ...said }));
    assert.match(messageIdOf(said), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('differs by room, by user and by command', () => {
    const ids = [said, { ...said, roomId: 'r2' }, { ...said, userId: 'bob' }, { ...said, commandId: 'file:18' }];
    assert.equal(new Set(ids.map(messageIdOf)).size, 4);
  });

  it('is made anew where the sender named no command', () => {
    const ids = { next: () => 'made' };
    assert.equal(messageIdFor({ ...said, commandId: undefined }, ids), 'made');
    assert.equal(messageIdFor(said, ids), messageIdOf(said));
  });
});
