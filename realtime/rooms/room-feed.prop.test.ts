// The law of room-feed.ts, under any interleaving of appends, the tail, history, joins, resumes, leaving and flushes, whether its
// partition is followed already, begins with the room, or begins again after everybody has gone.
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import pino from 'pino';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { isRejection } from '../../schemas/rejections.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { HeardParticipant } from '../../tests/support/heard-transport.ts';
import { MemoryHistory } from '../../tests/support/memory-history.ts';
import { silentMetrics } from '../../tests/support/silent-metrics.ts';
import { TurnQueue } from '../sessions/turn-queue.ts';
import { HistoryBlocks } from './history-blocks.ts';
import type { RoomTail } from './load-room.ts';
import type { Joined } from './participant.ts';
import { ResumeTurns } from './resume-turns.ts';
import { RoomFeed } from './room-feed.ts';

const ROOM = 'r';
const RESET_AFTER = 9;
/** So small that blocks have to give way to each other, and are read one after the other. */
const BLOCK_BOUNDS = { blockEvents: 3, blockCacheBytes: 1_500, blockKeepMs: 20, blockReads: 1, blocksWaiting: 100 };
const SESSIONS = 3;

type Step =
  | { do: 'say' | 'tail' | 'project' | 'turn' | 'wait' | 'begin' | 'forget' }
  | { do: 'member'; user: number }
  | { do: 'join'; session: number; behind: number | null; reset?: boolean }
  | { do: 'beat' }
  | { do: 'leave'; session: number };

/** Found by the property: the event came between finding that nothing was missing and letting the session in. */
const EVENT_WHILE_RESUME_ENDS: Step[] = [
  { do: 'project' },
  { do: 'join', session: 0, behind: null },
  { do: 'turn' },
  { do: 'join', session: 0, behind: 1 },
  { do: 'say' },
  { do: 'project' },
];

const session = fc.nat({ max: SESSIONS - 1 });
const arbitraryStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('say' as const) }) },
  { weight: 7, arbitrary: fc.record({ do: fc.constant('tail' as const) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('project' as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('begin' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('beat' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('member' as const), user: session }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('join' as const),
      session,
      // Ahead too, of a room that may get there.
      behind: fc.option(fc.integer({ min: -3, max: 20 }), { nil: null }),
      reset: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), session }) },
);

/**
 * A session that checks what it hears. `cursor` is the version up to which it has everything, null while it is not in the room;
 * `resumesAfter` is the version that a join under way goes on from.
 */
class CheckedSession extends HeardParticipant {
  cursor: number | null = null;
  resumesAfter: number | null = null;
  /** Of a join under way: whether the newest messages may come, and whether they came, instead of what was missed. */
  mayReset = false;
  wasReset = false;
  isBusy = false;

  /** A fault goes to `onFault`: thrown here it would end in a turn of the loop that nobody awaits. */
  constructor(userId: string, onFault: (error: unknown) => void) {
    super(userId);
    const push = this.transport.frames.push.bind(this.transport.frames);
    this.transport.frames.push = (...frames) => {
      try {
        for (const { name, data } of frames) this.#check(name, Number(data.version));
      } catch (error) {
        onFault(error);
      }
      return push(...frames);
    };
  }

  #check(name: string, version: number): void {
    if (name === SERVER_FRAMES.heartbeat) {
      // With nothing missed a resume ends without a frame.
      assert.equal(version, this.cursor ?? this.resumesAfter, 'a heartbeat tells no more than was sent');
    } else if (name === SERVER_FRAMES.recentMessages) {
      assert.ok(this.isBusy && (this.resumesAfter === null || this.mayReset), 'recent messages were asked for');
      assert.ok(version >= (this.cursor ?? 0), 'what is sent again is not older than what was there');
      this.cursor = version;
      this.resumesAfter = null;
      this.wasReset = true;
    } else if (this.cursor !== null && version === this.cursor + 1) {
      this.cursor = version;
    } else {
      assert.equal(version, (this.resumesAfter ?? Number.NaN) + 1, `${this.userId} has ${this.cursor}`);
      this.cursor = version;
      this.resumesAfter = null;
    }
  }

  joined(version: number): void {
    // Resumed with nothing missed: no frame told so, unless a live one has come since.
    if (this.resumesAfter === version) this.cursor = Math.max(this.cursor ?? 0, version);
    assert.ok((this.cursor ?? 0) >= version, 'everything up to the version of the answer has come before it');
  }

  override leftRoom(roomId: string): void {
    super.leftRoom(roomId);
    this.cursor = null;
  }
}

/** The tail of log-tail.ts as a room sees it; where following begins and what it gets to is up to the world. */
class ModelTail implements RoomTail {
  readonly #history: MemoryHistory;
  readonly #head: () => number;
  readonly #beginnings: (() => void)[] = [];
  readonly #waiters: { offset: number; reached: () => void }[] = [];
  #holders = 0;
  #isFollowing = false;
  #at = 0;

  constructor(history: MemoryHistory, head: () => number) {
    this.#history = history;
    this.#head = head;
  }

  async hold(): Promise<void> {
    this.#holders += 1;
    if (this.#isFollowing) return;
    const checkpoint = (await this.#history.checkpoints()).get(0) ?? 0;
    await new Promise<void>((resolve) => this.#beginnings.push(resolve));
    this.#at = checkpoint;
    this.#isFollowing = true;
  }

  get holders(): number {
    return this.#holders;
  }

  release(): void {
    assert.ok(this.#holders > 0, 'what is released is held');
    this.#holders -= 1;
    this.#isFollowing = this.#holders > 0;
  }

  /** 0 is now: no time passes between this and a heartbeat. */
  upToDateAt(): number {
    return this.#at >= this.#head() ? 0 : Number.NEGATIVE_INFINITY;
  }

  recordsSeen(): number {
    assert.ok(this.#isFollowing, 'only a partition that is held is asked about');
    return this.#at;
  }

  async catchUp(): Promise<number> {
    assert.ok(this.#isFollowing, 'only a partition that is held is asked about');
    const offset = this.#head();
    if (this.#at < offset) await new Promise<void>((reached) => this.#waiters.push({ offset, reached }));
    return this.#at;
  }

  /** What was begun and waits begins. */
  begin(): void {
    for (const begin of this.#beginnings.splice(0)) begin();
  }

  /** Hands on the record at the position, if there is one and the partition is followed. */
  advance(handOn: (at: number) => void): void {
    if (!this.#isFollowing || this.#at >= this.#head()) return;
    handOn(this.#at);
    this.#at += 1;
    for (const { offset, reached } of this.#waiters) if (offset <= this.#at) reached();
  }
}

class World {
  readonly history = new MemoryHistory();
  readonly #failures: unknown[] = [];
  readonly #room = roomHistory(ROOM);
  readonly #log: ChatEvent[] = [];
  readonly #members = new Set([0, 1, 2]);
  readonly #pauses: (() => void)[] = [];
  readonly #tail = new ModelTail(this.history, () => this.#log.length);
  readonly #sessions = Array.from(
    { length: SESSIONS },
    (_, index) => new CheckedSession(`u${index}`, (fault) => this.#failures.push(fault)),
  );
  readonly #turns = new TurnQueue();
  readonly #resumeTurns = new ResumeTurns(1);
  readonly #blocks = new HistoryBlocks({ source: this.history, now: () => this.#now, bounds: BLOCK_BOUNDS });
  #feed: RoomFeed | null = null;
  #opened: Promise<unknown> = Promise.resolve();
  #now = 0;
  #holdersElsewhere = 0;

  constructor() {
    this.history.hold();
    this.append('u0', made.room());
    for (const userId of ['u1', 'u2']) this.append(userId, made.joined(userId));
  }

  append(by: string, body: Parameters<ReturnType<typeof roomHistory>['next']>[1]): void {
    const event = this.#room.next(by, body);
    this.#log.push(event);
    this.history.project(0, this.#log.length, event);
  }

  /** Another room of the partition is here from now on. */
  async followAlready(): Promise<void> {
    this.#holdersElsewhere = 1;
    const held = this.#tail.hold();
    await turn();
    this.#tail.begin();
    await held;
  }

  async step(step: Step): Promise<void> {
    switch (step.do) {
      case 'say':
        // Some are so long that the ring lets several others go for them.
        return this.append('u0', made.said(String(this.#log.length).repeat(this.#log.length % 5 === 0 ? 600 : 1)));
      case 'member': {
        const { user } = step;
        if (this.#members.delete(user)) return this.append(`u${user}`, made.left(`u${user}`));
        this.#members.add(user);
        return this.append(`u${user}`, made.joined(`u${user}`));
      }
      case 'begin':
        return this.#tail.begin();
      case 'forget':
        return this.#forget();
      case 'tail':
        return this.#advanceTail();
      case 'project':
        return this.history.advance(1);
      case 'turn':
        return turn();
      case 'wait':
        return this.#endPauses(5);
      case 'join':
        return this.#join(step.session, step.behind, step.reset ?? false);
      case 'beat':
        for (const one of this.#sessions) this.#feed?.heartbeat(one);
        return;
      case 'leave':
        return this.#leave(step.session);
    }
  }

  async settle(): Promise<void> {
    this.history.release();
    for (let round = 0; round < 40 || this.#sessions.some(({ isBusy }) => isBusy); round++) {
      this.#tail.begin();
      for (let count = 0; count < this.#log.length; count++) this.#advanceTail();
      this.#endPauses(5);
      // It may rest for a moment after it had much to do.
      this.#turns.flush();
      await turn();
      if (this.#failures.length > 0) throw this.#failures[0];
      assert.ok(round < 5_000, 'every join is answered');
    }
    await this.#opened;
  }

  check(): void {
    if (this.#failures.length > 0) throw this.#failures[0];
    assert.equal(this.#tail.holders, this.#holdersElsewhere + (this.#feed ? 1 : 0), 'a room holds its partition once');
    for (const session of this.#sessions) {
      const isIn = this.#feed?.hasJoined(session) ?? false;
      assert.equal(session.cursor, isIn ? this.#log.length : null, `${session.userId} has everything there is`);
    }
  }

  #advanceTail(): void {
    this.#tail.advance((at) => {
      const event = this.#log[at];
      if (event) this.#feed?.accept(event);
    });
  }

  /** As the hub does with a room that nobody is in. */
  #forget(): void {
    if (this.#sessions.some((one) => one.isBusy || this.#feed?.hasJoined(one))) return;
    this.#feed?.close();
    this.#feed = null;
  }

  #endPauses(ms: number): void {
    this.#now += ms;
    this.#blocks.tick();
    for (const end of this.#pauses.splice(0)) end();
  }

  #join(index: number, behind: number | null, reset: boolean): void {
    const one = this.#sessions[index];
    if (!one || one.isBusy) return;
    const after = behind === null ? undefined : Math.max(0, this.#log.length - behind);
    one.isBusy = true;
    one.resumesAfter = after ?? null;
    one.mayReset = reset;
    one.wasReset = false;
    const feed = this.#feed ?? this.#open();
    void this.#opened
      .then(() => feed.join(one, after, reset))
      .then((outcome) => {
        if (isRejection(outcome)) assert.ok(outcome.rejected !== 'version_ahead' || !reset, 'a reset is never ahead');
        else checkRecovered(outcome, after, one);
        // Let in and taken out again before the answer: then there is nothing left to have everything of.
        if (!isRejection(outcome) && feed.hasJoined(one)) one.joined(outcome.version);
        if (!feed.hasJoined(one)) one.cursor = null;
        one.isBusy = false;
        one.resumesAfter = null;
      })
      .catch((error: unknown) => this.#failures.push(error));
  }

  #leave(index: number): void {
    const one = this.#sessions[index];
    if (!one || one.isBusy) return;
    this.#feed?.leave(one);
    one.cursor = null;
  }

  #open(): RoomFeed {
    const feed = new RoomFeed(
      { roomId: ROOM, partition: 0 },
      {
        source: this.history,
        blocks: this.#blocks,
        resumeTurns: this.#resumeTurns,
        tail: this.#tail,
        turns: this.#turns,
        metrics: silentMetrics,
        logger: pino({ level: 'silent' }),
        now: () => this.#now,
        pause: () => new Promise((resolve) => this.#pauses.push(resolve)),
        onUser: () => {},
        onFailed: (code) => assert.fail(`the room failed with ${code}`),
        bounds: { ringFrames: 4, ringBytes: 2_500, missedPage: 3, resetAfter: RESET_AFTER },
      },
    );
    this.#feed = feed;
    this.#opened = feed.open().then((refusal) => assert.equal(refusal, null));
    return feed;
  }
}

/** "Recovered" is never said where it is not so, nor is a reset done where it was not allowed or not called for. */
function checkRecovered({ version, recovered }: Joined, after: number | undefined, one: CheckedSession): void {
  assert.equal(recovered, after === undefined ? undefined : !one.wasReset);
  if (after === undefined || !one.wasReset) return;
  assert.ok(after > version || version - after > RESET_AFTER, 'what is near enough is sent');
}

describe('a room on a node (laws)', () => {
  it('RT-7 RT-8 RT-40 any interleaving of snapshot, tail, joins and resumes gives each version exactly once and in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(arbitraryStep, { maxLength: 120, size: 'max' }),
        async (isHeld, steps) => {
          const world = new World();
          if (isHeld) await world.followAlready();
          for (const step of steps) await world.step(step);
          await world.settle();
          world.check();
        },
      ),
      { numRuns: 1_000, examples: [[true, EVENT_WHILE_RESUME_ENDS]] },
    );
  });
});
