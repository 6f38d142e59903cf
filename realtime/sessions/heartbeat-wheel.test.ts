import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, it } from 'mocha';
import { BOUNDS } from '../bounds.ts';
import { HeartbeatWheel } from './heartbeat-wheel.ts';

const SPOKES = BOUNDS.pingEveryMs / 1_000;

/** A connection that notes its turn, and is in so many rooms. */
function connection(index: number, beaten: number[], rooms = 1) {
  return {
    beat: () => {
      beaten.push(index);
      return rooms;
    },
  };
}

describe('the wheel of heartbeats', () => {
  it('RT-49 each connection has its turn once a round, and none when it has gone', () => {
    const wheel = new HeartbeatWheel<ReturnType<typeof connection>>();
    const beaten: number[] = [];
    const indices = Array.from({ length: 2 * SPOKES }, (_, index) => index);
    const connections = indices.map((index) => connection(index, beaten));
    const spokes = connections.map((one) => wheel.add(one));
    wheel.tick();
    assert.deepEqual(beaten, [0, SPOKES]);
    for (let second = 1; second < SPOKES; second++) wheel.tick();
    assert.deepEqual(
      beaten.toSorted((a, b) => a - b),
      indices,
    );
    assert.deepEqual(new Set(wheel.all()), new Set(connections));
    for (const [index, one] of connections.entries()) wheel.remove(one, spokes[index] ?? -1);
    assert.equal(wheel.size, 0);
    wheel.tick();
    assert.equal(beaten.length, indices.length);
  });

  it('RT-49 all of a spoke get theirs, so many frames in a turn of the event loop and others in between', async () => {
    const wheel = new HeartbeatWheel<ReturnType<typeof connection>>();
    const beaten: number[] = [];
    // Sockets on the first spoke that are in as many rooms as they may be, and others on the other spokes.
    const rooms = BOUNDS.heartbeatsPerTurn / 2;
    for (let index = 0; index < 7 * SPOKES; index++) wheel.add(connection(index / SPOKES, beaten, rooms));
    wheel.tick();
    assert.deepEqual(beaten, [0, 1]);
    await turn();
    assert.deepEqual(beaten, [0, 1, 2, 3]);
    for (let turns = 0; turns < 5; turns++) await turn();
    assert.deepEqual(beaten, [0, 1, 2, 3, 4, 5, 6]);
  });
});
