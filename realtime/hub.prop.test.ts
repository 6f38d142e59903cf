// What a node keeps: however rooms are joined, left, lost, forgotten and refused, and whatever is away meanwhile, every room holds
// its partition exactly once for as long as it is here.
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import pino from 'pino';
import { createMemoryExpiringSets } from '../platform/expiring-sets.ts';
import { createMemoryPubSub } from '../platform/pub-sub.ts';
import { isRejection } from '../schemas/rejections.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import { HeardParticipant } from '../tests/support/heard-transport.ts';
import { MemoryHistory } from '../tests/support/memory-history.ts';
import { silentMetrics } from '../tests/support/silent-metrics.ts';
import { BOUNDS } from './bounds.ts';
import { Hub } from './hub.ts';
import type { RoomTail } from './rooms/load-room.ts';
import { NodeSigns } from './rooms/node-signs.ts';
import type { RoomSource } from './rooms/room-source.ts';
import { TurnQueue } from './sessions/turn-queue.ts';

const PARTITIONS = 2;
const MAX_ROOMS = 3;
/** The last one does not exist. */
const ROOMS = ['a', 'b', 'c', 'd', 'nowhere'];
const SESSIONS = 3;
const logger = pino({ level: 'silent' });

type PlainStep = 'turn' | 'answer' | 'grow old' | 'stop' | 'history goes' | 'history comes' | 'log goes' | 'log comes';
type Step =
  | { do: 'join'; session: number; room: number; after: number | undefined }
  | { do: 'leave'; session: number; room: number }
  | { do: 'lose'; room: number }
  | { do: PlainStep };

const place = { session: fc.nat({ max: SESSIONS - 1 }), room: fc.nat({ max: ROOMS.length - 1 }) };
const plain = (...names: PlainStep[]) => fc.record({ do: fc.constantFrom(...names) });
const arbitraryStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('join' as const), ...place, after: fc.constantFrom(undefined, 0, 1, 9) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('leave' as const), ...place }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose' as const), room: place.room }) },
  { weight: 6, arbitrary: plain('turn', 'answer') },
  { weight: 2, arbitrary: plain('grow old', 'stop') },
  { weight: 1, arbitrary: plain('history goes', 'log goes') },
  { weight: 2, arbitrary: plain('history comes', 'log comes') },
);

/** Answers when it is told to, and counts. */
class CountingTail implements RoomTail {
  readonly holders = Array.from({ length: PARTITIONS }, () => 0);
  readonly #waiting: (() => void)[] = [];
  readonly #isHistoryAway: () => boolean;
  readonly #isLogAway: () => boolean;

  constructor(isHistoryAway: () => boolean, isLogAway: () => boolean) {
    this.#isHistoryAway = isHistoryAway;
    this.#isLogAway = isLogAway;
  }

  async hold(partition: number): Promise<void> {
    await this.#answer();
    if (this.#isHistoryAway() && this.#holders(partition) === 0) throw new Error('the checkpoints cannot be read');
    this.holders[partition] = this.#holders(partition) + 1;
  }

  release(partition: number): void {
    this.#assertHeld(partition);
    this.holders[partition] = this.#holders(partition) - 1;
  }

  recordsSeen(partition: number): number {
    this.#assertHeld(partition);
    return 0;
  }

  async catchUp(partition: number): Promise<number> {
    this.#assertHeld(partition);
    await this.#answer();
    if (this.#isLogAway()) throw new Error('the log cannot be reached');
    return 0;
  }

  upToDateAt(): number {
    return 0;
  }

  answer(): void {
    for (const answer of this.#waiting.splice(0)) answer();
  }

  #answer(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #holders(partition: number): number {
    return this.holders[partition] ?? 0;
  }

  #assertHeld(partition: number): void {
    assert.ok(this.#holders(partition) > 0, `partition ${partition} is asked about while it is not held`);
  }
}

class Node {
  readonly hub: Hub;
  readonly tail = new CountingTail(
    () => this.#isHistoryAway,
    () => this.#isLogAway,
  );
  readonly #events = roomHistory('a');
  readonly #sessions = Array.from({ length: SESSIONS }, (_, index) => new HeardParticipant(`u${index}`));
  readonly #faults: unknown[] = [];
  #isHistoryAway = false;
  #isLogAway = false;
  #joining = 0;
  #now = 1_000_000;

  constructor() {
    const clock = { now: () => this.#now };
    const pubSub = createMemoryPubSub();
    const sets = createMemoryExpiringSets({ clock, maxMembers: 1_000 });
    this.hub = new Hub({
      partitions: PARTITIONS,
      maxRooms: MAX_ROOMS,
      source: this.#source(),
      tail: this.tail,
      sets,
      pubSub,
      signs: new NodeSigns({
        nodeId: 'node',
        sets,
        pubSub,
        clock,
        logger,
        restore: () => this.hub.restorePresence(),
        lookAgain: () => this.hub.lookAgain(),
      }),
      turns: new TurnQueue(),
      metrics: silentMetrics,
      // An assertion that fails inside of a room is told here only: a room that cannot be loaded is a warning.
      logger: Object.assign(pino({ level: 'silent' }), {
        warn: ({ err }: { err: unknown }) => err instanceof assert.AssertionError && this.#faults.push(err),
      }),
      now: clock.now,
      pause: async (ms) => {
        this.#now += ms;
        await turn();
      },
    });
  }

  async step(step: Step): Promise<void> {
    switch (step.do) {
      case 'turn':
        return turn();
      case 'answer':
        return this.tail.answer();
      case 'grow old':
        return this.#growOld();
      case 'stop':
        return this.hub.stop();
      case 'history goes':
      case 'history comes':
        this.#isHistoryAway = step.do === 'history goes';
        return;
      case 'log goes':
      case 'log comes':
        this.#isLogAway = step.do === 'log goes';
        return;
      case 'lose':
        return this.#lose(step.room);
      case 'join':
        return this.#join(step.session, step.room, step.after);
      case 'leave':
        return this.hub.leave(this.#session(step.session), roomAt(step.room));
    }
  }

  /** Resolves when nothing is under way any more. */
  async settle(): Promise<void> {
    for (let round = 0; round < 20 || this.#joining > 0; round++) {
      this.tail.answer();
      await turn();
      assert.ok(round < 2_000, 'every join is answered');
    }
    if (this.#faults.length > 0) throw this.#faults[0];
    const holders = this.tail.holders.reduce((sum, count) => sum + count, 0);
    assert.equal(holders, this.hub.roomCount, 'as many holds as rooms');
  }

  #growOld(): void {
    this.#now += BOUNDS.emptyRoomMs;
    this.hub.tick();
  }

  /** A version that cannot be had from anywhere: the room fails here. */
  #lose(room: number): void {
    const event = this.#events.next('u0', made.said('found'));
    const roomId = roomAt(room);
    this.hub.accept({
      ...event,
      roomId,
      metadata: { ...event.metadata, stream: `room-${roomId}`, version: event.metadata.version + 1_000 },
    });
  }

  #join(session: number, room: number, after: number | undefined): void {
    this.#joining += 1;
    this.hub
      .join(this.#session(session), roomAt(room), after)
      .then((outcome) => assert.ok(isRejection(outcome) || outcome.version > 0))
      .catch((fault: unknown) => this.#faults.push(fault))
      .finally(() => {
        this.#joining -= 1;
      });
  }

  #session(index: number): HeardParticipant {
    const session = this.#sessions[index];
    assert.ok(session);
    return session;
  }

  /** All users but the last are members of every room. */
  #source(): RoomSource {
    const history = new MemoryHistory();
    for (const roomId of ROOMS.slice(0, -1)) {
      const events = roomHistory(roomId);
      history.project(0, 1, events.next('u0', made.room()));
      history.project(0, 2, events.next('u1', made.joined('u1')));
    }
    const unlessAway = async <Answer>(ask: () => Promise<Answer>): Promise<Answer> => {
      await turn();
      if (this.#isHistoryAway) throw new Error('the database is away');
      return ask();
    };
    return {
      roomSnapshot: (roomId) => unlessAway(() => history.roomSnapshot(roomId)),
      eventsAfter: (roomId, after, limit) => unlessAway(() => history.eventsAfter(roomId, after, limit)),
      checkpoints: () => unlessAway(() => history.checkpoints()),
    };
  }
}

function roomAt(index: number): string {
  return ROOMS[index] ?? 'nowhere';
}

describe('the rooms of a node (laws)', () => {
  it('RT-27 RT-29 whatever happens to rooms, each holds its partition once while it is here, and none does afterwards', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(arbitraryStep, { maxLength: 80, size: 'max' }), fc.boolean(), async (steps, isLate) => {
        const node = new Node();
        for (const step of steps) await node.step(step);
        if (!isLate) await node.settle();
        node.hub.stop();
        await node.settle();
        assert.equal(node.hub.roomCount, 0);
      }),
      { numRuns: 500 },
    );
  });
});
