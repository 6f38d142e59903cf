import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { encodeFrameJson } from './encoded-frame.ts';
import type { FrameOrNone } from './frame-block.ts';
import { FrameRing } from './frame-ring.ts';

const sizes = fc.array(fc.oneof(fc.nat({ max: 300 }), fc.constant(null)), { maxLength: 120 });

function toFrames(after: number, sizesOrNone: readonly (number | null)[]): FrameOrNone[] {
  return sizesOrNone.map((size, index) =>
    size === null
      ? null
      : encodeFrameJson(SERVER_FRAMES.roomArchived, JSON.stringify({ pad: 'x'.repeat(size) }), after + 1 + index),
  );
}

describe('the ring of newest frames (laws)', () => {
  it('RT-8 gives all frames after a version or says that it does not reach back, within its bounds', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 50 }),
        sizes,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 100, max: 3_000 }),
        (start, pushed, ringFrames, ringBytes) => {
          const ring = new FrameRing(start, { ringFrames, ringBytes });
          const frames = toFrames(start, pushed);
          frames.forEach((frame, index) => {
            ring.push(start + 1 + index, frame);
          });
          assert.equal(ring.version, start + frames.length);
          check(ring, start, frames, { ringFrames, ringBytes });
        },
      ),
    );
  });

  it('RT-41 takes in what lies before it, the newest first, and goes on as if it had always been there', () => {
    fc.assert(
      fc.property(
        sizes,
        sizes,
        sizes,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 100, max: 3_000 }),
        (before, between, later, ringFrames, ringBytes) => {
          const ring = new FrameRing(before.length, { ringFrames, ringBytes });
          const frames = toFrames(0, [...before, ...between, ...later]);
          const push = (from: number, to: number): void =>
            frames.slice(from, to).forEach((frame, index) => {
              ring.push(from + 1 + index, frame);
            });
          push(before.length, before.length + between.length);
          // As its owner does: only where nothing of what came since has gone.
          if (ring.reachesBackTo === before.length) {
            ring.extendBack(frames.slice(0, before.length));
            const { reachesBackTo } = ring;
            const oneMore = reachesBackTo > 0 ? (frames[reachesBackTo - 1]?.wsBytes.length ?? 0) : Infinity;
            const kept = ring.after(reachesBackTo)?.wsBytes.length ?? 0;
            assert.ok(
              ring.version - reachesBackTo === ringFrames || kept + oneMore > ringBytes,
              'it takes what it can',
            );
          }
          check(ring, 0, frames.slice(0, before.length + between.length), { ringFrames, ringBytes });
          push(before.length + between.length, frames.length);
          check(ring, 0, frames, { ringFrames, ringBytes });
        },
      ),
    );
  });
});

/** `frames`: all there ever were, up to the ring's version. */
function check(
  ring: FrameRing,
  start: number,
  frames: readonly FrameOrNone[],
  { ringFrames, ringBytes }: { ringFrames: number; ringBytes: number },
): void {
  const newest = start + frames.length;
  assert.ok(newest - ring.reachesBackTo <= ringFrames);
  // Downwards and upwards: what was joined for one who is behind is a part of it for another.
  const versions = Array.from({ length: newest + 1 }, (_, version) => version);
  for (const after of [...versions.toReversed(), ...versions]) {
    const given = ring.after(after);
    if (after < ring.reachesBackTo) assert.equal(given, null);
    else
      assert.deepEqual(
        given?.frames,
        frames.slice(after - start).filter((frame) => frame !== null),
      );
  }
  assert.ok((ring.after(ring.reachesBackTo)?.wsBytes.length ?? 0) <= ringBytes);
}
