import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { encodeFrameJson } from './encoded-frame.ts';
import { FrameRing } from './frame-ring.ts';

describe('the ring of newest frames (laws)', () => {
  it('RT-8 gives all frames after a version or says that it does not reach back, within its bounds', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 50 }),
        fc.array(fc.oneof(fc.nat({ max: 300 }), fc.constant(null)), { maxLength: 120 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 100, max: 3_000 }),
        (start, sizes, ringFrames, ringBytes) => {
          const ring = new FrameRing(start, { ringFrames, ringBytes });
          const frames = sizes.map((size, index) =>
            size === null
              ? null
              : encodeFrameJson(
                  SERVER_FRAMES.roomArchived,
                  JSON.stringify({ version: start + 1 + index, pad: 'x'.repeat(size) }),
                ),
          );
          frames.forEach((frame, index) => {
            ring.push(start + 1 + index, frame);
          });
          const newest = start + frames.length;
          assert.equal(ring.version, newest);
          assert.ok(newest - ring.reachesBackTo <= ringFrames);
          for (let after = 0; after <= newest; after++) {
            const given = ring.after(after);
            if (after < ring.reachesBackTo) assert.equal(given, null);
            else
              assert.deepEqual(
                given,
                frames.slice(after - start).filter((frame) => frame !== null),
              );
          }
          const kept = ring.after(ring.reachesBackTo) ?? [];
          assert.ok(kept.reduce((sum, frame) => sum + frame.wsBytes.length, 0) <= ringBytes);
        },
      ),
    );
  });
});
