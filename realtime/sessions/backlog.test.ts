import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Backlog, type Backlogged } from './backlog.ts';

class Queue implements Backlogged {
  queuedBytes: number;
  isClosed = false;

  constructor(queuedBytes: number) {
    this.queuedBytes = queuedBytes;
  }

  overflow(): void {
    this.isClosed = true;
    this.queuedBytes = 0;
  }
}

describe('the node’s backlog', () => {
  it('RT-130 beyond the bound those sockets are closed for which most waits, and no more of them than needed', () => {
    const backlog = new Backlog(100);
    const queues = [30, 50, 10, 40].map((bytes) => new Queue(bytes));
    for (const queue of queues) backlog.add(queue);
    backlog.tick();
    assert.deepEqual(
      queues.map(({ isClosed }) => isClosed),
      [false, true, false, false],
    );
    assert.equal(backlog.bytes, 80);
    backlog.tick();
    assert.deepEqual(
      queues.map(({ isClosed }) => isClosed),
      [false, true, false, false],
    );
  });

  it('RT-130 a socket that has taken everything is not counted any more until it falls behind again', () => {
    const backlog = new Backlog(100);
    const [fast, slow] = [new Queue(60), new Queue(40)];
    backlog.add(fast);
    backlog.add(slow);
    fast.queuedBytes = 0;
    backlog.tick();
    fast.queuedBytes = 1_000;
    backlog.tick();
    assert.equal(backlog.bytes, 40);
    assert.ok(!fast.isClosed);
    backlog.add(fast);
    backlog.tick();
    assert.ok(fast.isClosed);
    assert.ok(!slow.isClosed);
  });
});
