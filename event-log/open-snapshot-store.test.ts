import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { snapshotTopicOf } from './open-snapshot-store.ts';

describe('the topic of snapshots', () => {
  it('is named after that of the events', () => {
    assert.equal(snapshotTopicOf('chat.events'), 'chat.snapshots');
    assert.equal(snapshotTopicOf('test-1'), 'test-1.snapshots');
    assert.equal(snapshotTopicOf('eu.events.chat'), 'eu.events.chat.snapshots');
  });
});
