import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { BOUNDS } from '../bounds.ts';
import { TurnQueue, type TurnTime } from './turn-queue.ts';

/** Time that passes when a test says so, and while something is written. */
class Time implements TurnTime {
  now = 1_000;
  readonly soonTasks: (() => void)[] = [];
  readonly timers: { task: () => void; at: number; isCancelled: boolean }[] = [];

  nowMs(): number {
    return this.now;
  }

  soon(task: () => void): void {
    this.soonTasks.push(task);
  }

  later(task: () => void, ms: number) {
    const timer = { task, at: this.now + ms, isCancelled: false };
    this.timers.push(timer);
    return {
      cancel: () => {
        timer.isCancelled = true;
      },
    };
  }

  endTurn(): void {
    for (const task of this.soonTasks.splice(0)) task();
  }
}

describe('the turn queue', () => {
  it('RT-132 what a quiet node has to say leaves at the end of the turn in which it came, rooms before sockets', () => {
    const time = new Time();
    const turns = new TurnQueue(time);
    const flushed: string[] = [];
    turns.addSocket({ flush: () => flushed.push('socket') });
    turns.addRoom({ flush: () => flushed.push('room') });
    assert.deepEqual(flushed, []);
    assert.equal(time.soonTasks.length, 1);
    time.endTurn();
    assert.deepEqual(flushed, ['room', 'socket']);
    assert.equal(time.timers.length, 0);
  });

  it('RT-132 after a flush the next one waits as long as that took, up to the bound, and then everything leaves at once', () => {
    for (const [tookMs, restMs] of [
      [3, 3],
      [40, BOUNDS.flushRestMs],
    ] as const) {
      const time = new Time();
      const turns = new TurnQueue(time);
      let flushes = 0;
      const writeFor = (ms: number) => ({
        flush: () => {
          time.now += ms;
          flushes += 1;
        },
      });
      turns.addRoom(writeFor(tookMs));
      time.endTurn();
      turns.addRoom(writeFor(0));
      turns.addRoom(writeFor(0));
      assert.equal(time.soonTasks.length, 0);
      assert.deepEqual(
        time.timers.map(({ at }) => at),
        [time.now + restMs],
      );
      time.timers[0]?.task();
      assert.equal(flushes, 3);
    }
  });

  it('RT-132 sockets that get something while rooms are flushed leave in that flush, and the rest after it holds', () => {
    const time = new Time();
    const turns = new TurnQueue(time);
    const flushed: string[] = [];
    const room = {
      flush: () => {
        flushed.push('room');
        turns.addSocket({
          flush: () => {
            time.now += 4;
            flushed.push('socket');
          },
        });
      },
    };
    turns.addRoom(room);
    time.endTurn();
    assert.deepEqual(flushed, ['room', 'socket']);
    assert.equal(time.soonTasks.length, 0);
    turns.addRoom(room);
    assert.equal(time.soonTasks.length, 0);
    assert.deepEqual(
      time.timers.map(({ at }) => at),
      [time.now + 4],
    );
  });

  it('RT-132 a rest ends early when much has gathered', () => {
    const time = new Time();
    const turns = new TurnQueue(time);
    let flushes = 0;
    const flush = () => {
      time.now += 10;
      flushes += 1;
    };
    turns.addRoom({ flush });
    time.endTurn();
    turns.addRoom({ flush });
    turns.grew(BOUNDS.flushBytes);
    assert.equal(time.soonTasks.length, 0);
    turns.grew(1);
    assert.ok(time.timers[0]?.isCancelled);
    time.endTurn();
    assert.equal(flushes, 2);
    turns.addRoom({ flush });
    turns.grew(BOUNDS.flushBytes);
    assert.equal(time.soonTasks.length, 0, 'what has left is not counted again');
  });

  it('RT-135 a flush of many sockets lets the event loop turn every 2 ms, and what comes behind it leaves in the next one', () => {
    const time = new Time();
    const turns = new TurnQueue(time);
    let written = 0;
    const socket = () => ({
      flush: () => {
        time.now += 0.01;
        written += 1;
      },
    });
    for (let count = 0; count < 1_000; count++) turns.addSocket(socket());
    time.endTurn();
    assert.equal(written, 208, 'looked at the clock every 16 sockets, and stopped at the first look after 2 ms');
    turns.addSocket(socket());
    while (time.soonTasks.length > 0) {
      const before = written;
      time.endTurn();
      assert.ok(written - before <= 208);
    }
    assert.equal(written, 1_000);
    assert.deepEqual(
      time.timers.map(({ at }) => at),
      [time.now + BOUNDS.flushRestMs],
      'what all portions took counts for the rest',
    );
    time.timers[0]?.task();
    assert.equal(written, 1_001);
  });

  it('RT-135 what rooms have by the next portion goes to the sockets that are still to come, unless handing out would take too long', () => {
    for (const [handOutMs, expected] of [
      [0.2, 'with this flush'],
      [0.5, 'with the next one'],
    ] as const) {
      const time = new Time();
      const turns = new TurnQueue(time);
      const got: string[][] = [];
      const sockets = Array.from({ length: 400 }, () => {
        const waiting: string[] = [];
        return {
          waiting,
          flush: () => {
            time.now += 0.01;
            got.push(waiting.splice(0));
          },
        };
      });
      const sayToAll = (what: string) => {
        turns.addRoom({
          flush: () => {
            time.now += handOutMs;
            for (const socket of sockets) if (socket.waiting.push(what) === 1) turns.addSocket(socket);
          },
        });
      };
      sayToAll('one');
      time.endTurn();
      const inTheFirst = got.length;
      assert.ok(inTheFirst > 0 && inTheFirst < 400);
      sayToAll('two');
      while (time.soonTasks.length > 0) time.endTurn();
      const last = got[399];
      assert.deepEqual(last, expected === 'with this flush' ? ['one', 'two'] : ['one'], `${handOutMs} ms`);
      assert.equal(got.length, 400);
      time.timers.at(-1)?.task();
      while (time.soonTasks.length > 0) time.endTurn();
      const behind = expected === 'with this flush' ? inTheFirst : 400;
      assert.deepEqual(got.slice(400), Array(behind).fill(['two']), 'everybody gets it once');
    }
  });
});
