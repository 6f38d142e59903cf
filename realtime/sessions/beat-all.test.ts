import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, it } from 'mocha';
import { BOUNDS } from '../bounds.ts';
import { beatAll } from './beat-all.ts';

describe('heartbeats of many connections', () => {
  it('RT-49 all of them get theirs, so many frames in a turn of the event loop and others in between', async () => {
    const beaten: number[] = [];
    // Sockets that are in as many rooms as they may be.
    const rooms = BOUNDS.heartbeatsPerTurn / 2;
    const connections = Array.from({ length: 7 }, (_, index) => ({
      beat: () => {
        beaten.push(index);
        return rooms;
      },
    }));
    beatAll(connections);
    assert.deepEqual(beaten, [0, 1]);
    await turn();
    assert.deepEqual(beaten, [0, 1, 2, 3]);
    for (let turns = 0; turns < 5; turns++) await turn();
    assert.deepEqual(beaten, [0, 1, 2, 3, 4, 5, 6]);
  });
});
