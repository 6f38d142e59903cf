import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { toFrame } from './to-frame.ts';

describe('frames of events', () => {
  const common = { roomId: 'r', username: 'the ada', userId: 'ada', version: 1, timestamp: '2026-01-02T03:04:05.001Z' };

  it('a message shows itself as the guide has it, and what else there is to it', () => {
    const frame = toFrame(roomHistory('r').next('ada', made.said('<b>hi</b>')));
    assert.deepEqual(frame, {
      event: SERVER_FRAMES.receiveMessage,
      data: {
        ...common,
        id: 'message-<b>hi</b>',
        message: '<b>hi</b>',
        replyTo: null,
        originalTime: null,
        commandId: 'command-1',
      },
    });
  });

  it('every other event has a frame of its own with what is particular to it', () => {
    const shown = (body: Parameters<ReturnType<typeof roomHistory>['next']>[1]) =>
      toFrame(roomHistory('r').next('ada', body));
    assert.deepEqual(shown(made.room('Attic')), {
      event: SERVER_FRAMES.roomCreated,
      data: { ...common, spaceId: 'space-1', name: 'Attic', description: '', isPrivate: false },
    });
    assert.deepEqual(shown(made.edited('Attic', 'dusty')), {
      event: SERVER_FRAMES.roomDetailsChanged,
      data: { ...common, name: 'Attic', description: 'dusty' },
    });
    assert.deepEqual(shown({ type: 'RoomArchived' }), { event: SERVER_FRAMES.roomArchived, data: common });
    assert.deepEqual(shown({ type: 'MemberInvited', userId: 'bob' }), {
      event: SERVER_FRAMES.memberInvited,
      data: { ...common, invitedUserId: 'bob' },
    });
    const bob = { ...common, userId: 'bob', username: 'the bob' };
    assert.deepEqual(shown(made.joined('bob')), { event: SERVER_FRAMES.memberJoined, data: bob });
    assert.deepEqual(shown(made.left('bob')), { event: SERVER_FRAMES.memberLeft, data: bob });
  });
});
