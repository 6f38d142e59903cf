import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { assertAnswer, assertClientFrame, assertServerFrame } from '../tests/support/documented-frames.ts';
import { CLIENT_FRAME_SCHEMAS } from './client-frames.ts';
import { SERVER_FRAME_SCHEMAS } from './server-frames.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from './wire.ts';

describe('the tables of frames', () => {
  for (const [event, { example, when }] of Object.entries(SERVER_FRAME_SCHEMAS)) {
    it(`DOC-1 ${event} of the service has an example that its schema takes`, () => {
      assertServerFrame(event, example);
      assert.match(when, /\.$/);
    });
  }

  for (const [event, { data, example, does }] of Object.entries(CLIENT_FRAME_SCHEMAS)) {
    it(`DOC-1 ${event} of a client has examples that its schemas take`, () => {
      assert.deepEqual(data.parse(example.data), example.data);
      assertClientFrame(event, example.data);
      assertAnswer(event, { data: example.answer });
      assert.match(does, /\.$/);
    });
  }

  it('DOC-2 a frame with an unknown name, a field too many or too few is found', () => {
    const { example } = SERVER_FRAME_SCHEMAS[SERVER_FRAMES.receiveMessage];
    const { message: _, ...less } = example;
    assert.throws(() => assertServerFrame('sung', {}), /no such frame/);
    assert.throws(
      () => assertServerFrame(SERVER_FRAMES.receiveMessage, { ...example, more: 1 }),
      /additional properties/,
    );
    assert.throws(() => assertServerFrame(SERVER_FRAMES.receiveMessage, less), /required property 'message'/);
    assert.throws(() => assertServerFrame(SERVER_FRAMES.receiveMessage, { ...example, timestamp: 1 }));
  });

  it('DOC-2 an answer with a code that is not listed, or of another form, is found', () => {
    const error = { code: 'room_archived', message: 'a text' };
    assertAnswer(CLIENT_FRAMES.sendMessage, { error });
    assert.throws(() => assertAnswer(CLIENT_FRAMES.leaveRoom, { error }), /room_archived is not documented/);
    assert.throws(
      () => assertAnswer(CLIENT_FRAMES.leaveRoom, { data: { roomId: 'r', version: 1 } }),
      /additional properties/,
    );
    assert.throws(() => assertAnswer('sing', { data: {} }), /no such frame/);
    assertAnswer('sing', { error: { code: 'unknown_event', message: 'a text' } });
  });
});
