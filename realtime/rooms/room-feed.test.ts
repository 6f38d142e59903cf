import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, it } from 'mocha';
import pino from 'pino';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import type { RejectionCode } from '../../schemas/rejections.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { HeardParticipant } from '../../tests/support/heard-transport.ts';
import { MemoryHistory } from '../../tests/support/memory-history.ts';
import { silentMetrics } from '../../tests/support/silent-metrics.ts';
import { BOUNDS } from '../bounds.ts';
import { TurnQueue } from '../sessions/turn-queue.ts';
import { HistoryBlocks } from './history-blocks.ts';
import { ResumeTurns } from './resume-turns.ts';
import { RoomFeed } from './room-feed.ts';

describe('a room on a node', () => {
  const said: ChatEvent[] = [];
  let history: MemoryHistory;
  let feed: RoomFeed;
  let ada: HeardParticipant;
  let now: number;
  let failedWith: RejectionCode | null;
  let released: number;
  let upToDateAt: number;

  /** Appends to the log; the feed hears of it only where the test says so. */
  function say(text: string): ChatEvent {
    const event = room.next('ada', made.said(text));
    said.push(event);
    history.project(0, event.metadata.version, event);
    return event;
  }

  function assertHeld(): number {
    assert.equal(released, 0, 'the partition is not held any more');
    return 0;
  }

  let room: ReturnType<typeof roomHistory>;

  beforeEach(async () => {
    said.length = 0;
    now = 0;
    upToDateAt = 0;
    failedWith = null;
    released = 0;
    room = roomHistory('r');
    history = new MemoryHistory();
    history.project(0, 1, room.next('ada', made.room()));
    feed = new RoomFeed(
      { roomId: 'r', partition: 0 },
      {
        source: history,
        tail: {
          hold: async () => {},
          release: () => {
            released += 1;
          },
          recordsSeen: () => 0,
          catchUp: async () => assertHeld(),
          upToDateAt: () => upToDateAt,
        },
        blocks: new HistoryBlocks({ source: history, now: () => now, bounds: BOUNDS }),
        resumeTurns: new ResumeTurns(BOUNDS.resumePiecesPerTurn),
        turns: new TurnQueue(),
        metrics: silentMetrics,
        logger: pino({ level: 'silent' }),
        now: () => now,
        // Time passes only in such pauses.
        pause: async (ms) => {
          now += ms;
          await turn();
        },
        onUser: () => {},
        onFailed: (code) => {
          failedWith = code;
        },
      },
    );
    ada = new HeardParticipant('ada');
  });

  it('RT-26 fills a gap in the tail from history, and goes on in order', async () => {
    await feed.open();
    await feed.join(ada, undefined);
    const [, , third] = [say('lost'), say('lost too'), say('found')];
    assert.ok(third);
    feed.accept(third);
    feed.accept(say('next'));
    while (feed.version < 5) await turn();
    await turn();
    assert.deepEqual(
      ada.transport.named(SERVER_FRAMES.receiveMessage).map(({ version }) => version),
      [2, 3, 4, 5],
    );
    assert.equal(failedWith, null);
  });

  it('RT-26 fills a gap that was there when the room was loaded, without waiting for what comes next', async () => {
    history.hold();
    const opening = feed.open();
    const second = say('heard');
    say('lost');
    const fourth = say('heard too');
    feed.accept(second);
    feed.accept(fourth);
    await opening;
    assert.deepEqual([feed.version], [2]);
    history.release();
    while (feed.version < 4) await turn();
    assert.equal(failedWith, null);
  });

  it('RT-134 a session for which its first frames are too much has ended, and is in the room no more', async () => {
    await feed.open();
    say('something');
    for (const after of [undefined, 1]) {
      const late = new HeardParticipant('ada');
      late.transport.send = () => {
        late.isEnded = true;
        feed.leave(late);
      };
      if (after !== undefined) feed.accept(said[0] as ChatEvent);
      await feed.join(late, after);
      assert.ok(late.isEnded);
      assert.equal(feed.sessionCount, 0);
    }
  });

  it('RT-26 a gap that history cannot fill ends the room on this node, and its sockets are told to join again', async () => {
    await feed.open();
    await feed.join(ada, undefined);
    history.hold();
    say('parked');
    feed.accept(say('behind it'));
    while (failedWith === null) await turn();
    assert.equal(failedWith, 'projection_behind');
    assert.deepEqual(ada.leftRooms, ['r']);
    const [error] = ada.transport.named(SERVER_FRAMES.error);
    assert.deepEqual([error?.code, error?.roomId], ['projection_behind', 'r']);
    assert.ok(now >= BOUNDS.snapshotMs);
  });

  it('RT-26 an event that comes twice is taken once', async () => {
    await feed.open();
    await feed.join(ada, undefined);
    const event = say('once');
    feed.accept(event);
    feed.accept(event);
    await turn();
    assert.equal(ada.transport.named(SERVER_FRAMES.receiveMessage).length, 1);
  });

  it('RT-7 gives up loading when more events wait than it may keep', async () => {
    history.hold();
    const events = Array.from({ length: BOUNDS.queuedEvents + 2 }, (_, index) => say(String(index)));
    const opening = feed.open();
    // The first one is missing, so no snapshot joins up and all of them wait.
    for (const event of events.slice(1)) feed.accept(event);
    assert.deepEqual(await opening, { rejected: 'projection_behind' });
  });

  it('RT-27 a room that was closed between loading and joining lets nobody in, and asks nothing about its partition', async () => {
    await feed.open();
    feed.close();
    feed.close();
    assert.equal(released, 1);
    assert.deepEqual(await feed.join(ada, undefined), { rejected: 'unavailable' });
    assert.deepEqual(await feed.join(new HeardParticipant('eve'), undefined), { rejected: 'unavailable' });
  });

  it('RT-8 a client that stops reading while it catches up is closed as a slow consumer', async () => {
    for (let index = 0; index < 2 * BOUNDS.missedPage; index++) say(String(index));
    await feed.open();
    ada.transport.queued = BOUNDS.resumeQueueBytes + 1;
    ada.transport.close = (name) => {
      ada.transport.closedAs = name;
      ada.isEnded = true;
    };
    assert.deepEqual(await feed.join(ada, 0), { rejected: 'unavailable' });
    assert.equal(ada.transport.closedAs, 'slowConsumer');
    assert.ok(now >= BOUNDS.resumeStallMs);
    assert.equal(feed.sessionCount, 0);
  });

  it('RT-8 sends no version that has not been checked here against membership', async () => {
    await feed.open();
    // History is ahead of the tail: the room here is still at version 1.
    say('not yet seen here');
    assert.deepEqual(await feed.join(ada, 0), { roomId: 'r', version: 1, recovered: true });
    assert.deepEqual(
      ada.transport.frames.map(({ data }) => data.version),
      [1],
    );
  });
});
