import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { arbitraryEvent } from '../../tests/support/arbitraries.ts';
import { goldenEvents } from '../../tests/support/golden-events.ts';
import { type EventOfAnyBuild, readStoredEvent, upcast } from './upcast.ts';

const { metadata, roomId } = goldenEvents.RoomArchived;

describe('events of earlier builds', () => {
  it('REPLAY-101 RoomDetailsChanged is RoomDetailsEdited that does not know what was there before', () => {
    const old: EventOfAnyBuild = { type: 'RoomDetailsChanged', metadata, roomId, name: 'Hall', description: 'wide' };
    const after = { name: 'Hall', description: 'wide' };
    assert.deepEqual(upcast(old), { type: 'RoomDetailsEdited', metadata, roomId, before: null, after });
  });

  it('REPLAY-104 stored rows get the defaults of fields that came after they were written', () => {
    const { invitedBy: _, ...first } = goldenEvents.MemberJoined;
    assert.deepEqual(readStoredEvent(first as EventOfAnyBuild), { ...first, invitedBy: null });
    const { onBehalfOf: __, ...bare } = metadata;
    const stored = { type: 'RoomDetailsChanged', metadata: bare, roomId, name: 'Hall', description: '' };
    assert.deepEqual(readStoredEvent(stored as EventOfAnyBuild), {
      ...goldenEvents.RoomDetailsEdited,
      metadata,
      before: null,
      after: { name: 'Hall', description: '' },
    });
  });

  it('law: an event of today is what it was, from the log and from a row', () => {
    fc.assert(
      fc.property(arbitraryEvent, (event) => {
        assert.equal(upcast(event), event);
        assert.deepEqual(readStoredEvent(JSON.parse(JSON.stringify(event)) as EventOfAnyBuild), structuredClone(event));
      }),
    );
  });
});
