import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { encodeFrameJson } from './encoded-frame.ts';
import { FrameBlock } from './frame-block.ts';

/** Texts whose frames have headers of all three lengths. */
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc.constantFrom('x'.repeat(200), '"event":"\\', 'ä'.repeat(40_000)),
);

describe('a block of frames (laws)', () => {
  it('RT-42 any part of it is the frames of its versions, in pieces no longer than asked for unless one frame is', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 1_000 }),
        fc.array(fc.option(text, { nil: null, freq: 5 }), { maxLength: 30 }),
        fc.nat({ max: 30 }),
        fc.nat({ max: 30 }),
        fc.integer({ min: 1, max: 100_000 }),
        (after, texts, skipped, cut, maxBytes) => {
          const frames = texts.map((pad, index) =>
            pad === null ? null : encodeFrameJson(SERVER_FRAMES.receiveMessage, JSON.stringify(pad), after + 1 + index),
          );
          const block = new FrameBlock(after, frames);
          assert.equal(block.upTo, after + frames.length);
          const from = Math.min(after + skipped, block.upTo);
          const to = Math.max(from, block.upTo - cut);
          const given = [];
          let version = from;
          while (version < to) {
            const { batch, upTo } = block.part(version, to, maxBytes);
            assert.ok(upTo > version, 'every part goes on');
            assert.ok(batch.wsBytes.length <= maxBytes || upTo === version + 1);
            assert.equal(Buffer.concat(batch.frames.map(({ wsBytes }) => wsBytes)).compare(batch.wsBytes), 0);
            given.push(...batch.frames);
            version = upTo;
          }
          assert.equal(version, to);
          assert.deepEqual(
            given,
            frames.slice(from - after, to - after).filter((frame) => frame !== null),
          );
        },
      ),
    );
  });
});
