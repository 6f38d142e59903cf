import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, it } from 'mocha';
import { ResumeTurns } from './resume-turns.ts';

describe('the turns of sessions that are far behind', () => {
  it('RT-43 so many a turn of the event loop get a piece, in the order in which they asked', async () => {
    const scheduled: (() => void)[] = [];
    const turns = new ResumeTurns(2, (run) => scheduled.push(run));
    const taken: string[] = [];
    const take = (name: string): void => void turns.take().then(() => taken.push(name));
    for (const name of ['a', 'b', 'c', 'd', 'e']) take(name);
    const next = async (): Promise<void> => {
      assert.equal(scheduled.length, 1);
      scheduled.shift()?.();
      await turn();
    };
    await next();
    assert.deepEqual(taken, ['a', 'b']);
    // Who wants another one goes behind those who have had none.
    take('a again');
    await next();
    assert.deepEqual(taken, ['a', 'b', 'c', 'd']);
    await next();
    assert.deepEqual(taken, ['a', 'b', 'c', 'd', 'e', 'a again']);
    assert.equal(scheduled.length, 0);
    take('f');
    await next();
    assert.equal(taken.at(-1), 'f');
  });
});
