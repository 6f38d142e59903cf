import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { LogUnavailableError } from '../event-log.ts';
import type { Assignment } from './ownership.ts';
import { type Membership, type Part, TakingPart } from './taking-part.ts';

const assignment = (...mine: number[]): Assignment => ({ mine, addressByPartition: new Map() });

/** A part played by a script: each entry is one life of the membership, the last one lasts until it is stopped. */
function play(...lives: ((part: Part) => Promise<void>)[]) {
  const told: Assignment[] = [];
  const log = { lives: 0, left: 0 };
  const membership: Membership = {
    takePart: async (part) => {
      log.lives++;
      const life = lives.shift();
      if (life !== undefined) return await life(part);
      while (!part.signal.aborted) await part.rest(60_000);
    },
    leave: async () => {
      log.left++;
    },
  };
  const options = { role: 'commands', partitions: 3, address: '', sessionMs: 1_000 };
  const ownership = new TakingPart(membership, { ...options, onAssigned: (one) => told.push(one) }, undefined);
  return { ownership, told, log };
}

describe('taking part', () => {
  it('OWN-14 tells a change only, in order, and leaves once', async () => {
    const { ownership, told, log } = play(async (part) => {
      for (const mine of [[1], [1], [1, 2], [1, 2], []]) part.tell(assignment(...mine), false);
      throw new LogUnavailableError('away');
    });
    const running = ownership.run();
    // The next life begins after a pause.
    while (log.lives < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await ownership.stop();
    await running;
    assert.deepEqual(told, [assignment(1), assignment(1, 2), assignment()]);
    assert.equal(log.left, 1);
  });

  it('OWN-11 handing over wakes a rest, and waits for what was decided by one who knew', async () => {
    const { ownership, told } = play(async (part) => {
      part.tell(assignment(1), false);
      await part.rest(60_000);
      assert.ok(part.isLeaving);
      part.tell(assignment(1, 2), false);
      part.tell(assignment(), true);
    });
    const running = ownership.run();
    await ownership.handOver(60_000);
    assert.deepEqual(told.at(-1), assignment());
    await ownership.stop();
    await running;
  });

  it('OWN-11 handing over gives up after the time it was given, and never fails', async () => {
    const { ownership } = play();
    const running = ownership.run();
    await ownership.handOver(1);
    await ownership.stop();
    await running;
    await ownership.handOver(60_000);
  });

  it('a bug ends it, having left', async () => {
    const { ownership, log } = play(async () => {
      throw new TypeError('a bug');
    });
    const running = ownership.run();
    await ownership.handOver(60_000);
    await assert.rejects(running, TypeError);
    await ownership.stop();
    assert.equal(log.left, 1);
  });

  it('OWN-14 one that was stopped before it ran ends at once', async () => {
    const { ownership, log } = play();
    await ownership.stop();
    await ownership.run();
    assert.equal(log.lives, 0);
  });
});
