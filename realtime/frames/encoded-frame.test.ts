import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough, type Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import * as ws from 'ws';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { encodeFrame, encodeFrameJson, joinFrames, textToWsBytes } from './encoded-frame.ts';
import { batchToSocketIoPacket, toSocketIoPacket } from './socket-io-packet.ts';
import { batchToSseBytes, toSseBytes } from './sse-bytes.ts';

/** What a WebSocket implementation that is not ours reads out of the bytes. */
async function read(bytes: Buffer, count: number): Promise<string[]> {
  // The type package does not know it, but the package exports it.
  const { Receiver } = ws as unknown as { Receiver: new (options: object) => Writable };
  const receiver = new Receiver({ isServer: false });
  const texts: string[] = [];
  receiver.on('message', (data: Buffer, isBinary: boolean) => {
    assert.equal(isBinary, false);
    texts.push(data.toString('utf8'));
  });
  const stream = new PassThrough();
  stream.pipe(receiver);
  stream.end(bytes);
  await once(receiver, 'finish');
  assert.equal(texts.length, count);
  return texts;
}

describe('encoded frames', () => {
  it('any text is read back by a WebSocket receiver, whatever its length', async () => {
    const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000];
    for (const text of lengths.map((length) => 'x'.repeat(length)))
      assert.deepEqual(await read(textToWsBytes(text), 1), [text]);
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 400 }), async (text) => {
        assert.deepEqual(await read(textToWsBytes(text), 1), [text.toWellFormed()]);
      }),
    );
  });

  it('frames that were joined are read as the same frames in order', async () => {
    const frames = [1, 2, 3].map((version) =>
      encodeFrameJson(SERVER_FRAMES.roomArchived, JSON.stringify({ roomId: 'ü', version })),
    );
    const texts = await read(joinFrames(frames).wsBytes, 3);
    assert.deepEqual(
      texts.map((text) => JSON.parse(text)),
      [1, 2, 3].map((version) => ({ event: SERVER_FRAMES.roomArchived, data: { roomId: 'ü', version } })),
    );
  });

  it('a single frame is not copied, and a socket.io packet is made once', () => {
    const frame = encodeFrame(SERVER_FRAMES.ready, { userId: 'ada', username: 'Ada' });
    assert.equal(joinFrames([frame]).wsBytes, frame.wsBytes);
    assert.equal(toSocketIoPacket(frame), toSocketIoPacket(frame));
    assert.equal(toSocketIoPacket(frame).text, '2["ready",{"userId":"ada","username":"Ada"}]');
  });

  it('a batch is made once for all sockets of a transport, and a batch of one frame is that frame', () => {
    const [one, other] = [1, 2].map((version) =>
      encodeFrameJson(SERVER_FRAMES.roomArchived, JSON.stringify({ version }), version),
    );
    assert.ok(one && other);
    const [alone, both] = [joinFrames([one]), joinFrames([one, other])];
    assert.equal(batchToSocketIoPacket(alone), toSocketIoPacket(one));
    assert.equal(batchToSseBytes(alone), toSseBytes(one));
    assert.equal(batchToSocketIoPacket(both), batchToSocketIoPacket(both));
    assert.equal(batchToSseBytes(both), batchToSseBytes(both));
    assert.equal(
      batchToSseBytes(both).toString(),
      [1, 2].map((id) => `event: room-archived\ndata: {"version":${id}}\nid: ${id}\n\n`).join(''),
    );
  });
});
