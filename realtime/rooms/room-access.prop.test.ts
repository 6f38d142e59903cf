// The law of access: whatever the order of events, joins, resumes, typing and ticks, nothing of a room reaches a socket whose user has
// left it, and the socket is told once why.
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import pino from 'pino';
import { createMemoryExpiringSets } from '../../platform/expiring-sets.ts';
import { createMemoryPubSub } from '../../platform/pub-sub.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { isRejection } from '../../schemas/rejections.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { made, roomHistory } from '../../tests/support/chat-events.ts';
import { HeardParticipant } from '../../tests/support/heard-transport.ts';
import { MemoryHistory } from '../../tests/support/memory-history.ts';
import { silentMetrics } from '../../tests/support/silent-metrics.ts';
import { BOUNDS } from '../bounds.ts';
import { TurnQueue } from '../sessions/turn-queue.ts';
import { HistoryBlocks } from './history-blocks.ts';
import { membershipChange } from './membership.ts';
import { NodeSigns } from './node-signs.ts';
import { ResumeTurns } from './resume-turns.ts';
import { Room } from './room.ts';

const ROOM = 'r';
const USERS = 3;
/** Two of each user. */
const SESSIONS = 2 * USERS;
const logger = pino({ level: 'silent' });

type Step =
  | { do: 'say' | 'tail' | 'project' | 'turn' | 'flush' | 'tick' | 'wait' | 'beat' }
  | { do: 'member'; user: number }
  | { do: 'leave' | 'type' | 'end'; session: number }
  | { do: 'join'; session: number; behind: number | null };

const session = fc.nat({ max: SESSIONS - 1 });
const plain = (what: 'say' | 'tail' | 'project' | 'turn' | 'flush' | 'tick' | 'wait' | 'beat') =>
  fc.record({ do: fc.constant(what) });
const ofSession = (what: 'leave' | 'type' | 'end') => fc.record({ do: fc.constant(what), session });
const arbitraryStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: plain('say') },
  { weight: 9, arbitrary: plain('tail') },
  { weight: 6, arbitrary: plain('project') },
  { weight: 4, arbitrary: plain('turn') },
  { weight: 2, arbitrary: plain('flush') },
  { weight: 2, arbitrary: plain('tick') },
  { weight: 2, arbitrary: plain('wait') },
  { weight: 2, arbitrary: plain('beat') },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('member' as const), user: fc.nat({ max: USERS - 1 }) }) },
  { weight: 1, arbitrary: ofSession('leave') },
  { weight: 2, arbitrary: ofSession('type') },
  { weight: 1, arbitrary: ofSession('end') },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('join' as const),
      session,
      behind: fc.option(fc.nat({ max: 12 }), { nil: null }),
    }),
  },
);

/** What a session may hear is checked by what the node knows when it is sent. */
type Node = {
  /** As of that version, else as of the newest that the node knows. */
  isMember(userId: string, version?: number): boolean;
  isLive(session: WatchedSession): boolean;
  onFault(fault: unknown): void;
};

class WatchedSession extends HeardParticipant {
  isIn = false;
  isJoining = false;
  /** Frames that told it, while it was live, that its user has left. */
  toldWhy = 0;
  wasTakenOut = 0;

  constructor(userId: string, node: Node) {
    super(userId);
    const push = this.transport.frames.push.bind(this.transport.frames);
    this.transport.frames.push = (...frames) => {
      for (const { name, data } of frames) {
        try {
          this.#check(name, data, node);
        } catch (fault) {
          node.onFault(fault);
        }
      }
      return push(...frames);
    };
  }

  #check(name: string, data: Record<string, unknown>, node: Node): void {
    const about = `${this.userId} hears ${name} ${JSON.stringify(data)}`;
    assert.ok(!this.isEnded, `${about} after its end`);
    assert.ok(this.isIn || this.isJoining, `${about} outside of the room`);
    assert.ok('version' in data || node.isLive(this), `${about} before it has been let in`);
    const isWhy = name === SERVER_FRAMES.memberLeft && data.userId === this.userId && node.isLive(this);
    if (isWhy) {
      this.toldWhy += 1;
      this.isIn = false;
      return;
    }
    // What waited to be sent when its user left is of before; what it resumes with is for members of now alone.
    const isOfBefore =
      typeof data.version === 'number' && node.isLive(this) && node.isMember(this.userId, data.version);
    assert.ok(node.isMember(this.userId) || isOfBefore, `${about} although it is no member`);
  }

  override leftRoom(roomId: string): void {
    super.leftRoom(roomId);
    this.wasTakenOut += 1;
    this.isIn = false;
  }
}

class World {
  readonly history = new MemoryHistory();
  readonly #faults: unknown[] = [];
  readonly #events = roomHistory(ROOM);
  readonly #log: ChatEvent[] = [];
  readonly #members = new Set<number>();
  readonly #waiters: { offset: number; reached: (offset: number) => void }[] = [];
  readonly #pauses: (() => void)[] = [];
  readonly #turns = new TurnQueue();
  readonly #room: Room;
  readonly #sessions: WatchedSession[];
  #at = 0;
  #now = 1_000_000;

  constructor() {
    this.history.hold();
    const node: Node = {
      isMember: this.#isMember,
      isLive: (one) => this.#room.feed.isLive(one),
      onFault: (fault) => this.#faults.push(fault),
    };
    this.#sessions = Array.from({ length: SESSIONS }, (_, index) => new WatchedSession(`u${index % USERS}`, node));
    this.#append('u0', made.room());
    this.#members.add(0);
    for (let user = 1; user < USERS; user++) this.#changeMembership(user);
    this.#room = this.#open();
  }

  /** As of that version, else as of what the node knows. */
  readonly #isMember = (userId: string, version = this.#room.feed.version): boolean =>
    this.#log
      .slice(0, version)
      .map(membershipChange)
      .findLast((change) => change?.userId === userId)?.isMember ?? false;

  async step(step: Step): Promise<void> {
    switch (step.do) {
      case 'say':
        return this.#append('u0', made.said(String(this.#log.length)));
      case 'member':
        return this.#changeMembership(step.user);
      case 'tail':
        return this.#advanceTail();
      case 'project':
        return this.history.advance(1);
      case 'turn':
        return turn();
      case 'flush':
        return this.#turns.flush();
      case 'tick':
        return await this.#tick();
      case 'beat':
        for (const one of this.#sessions) this.#room.feed.heartbeat(one);
        return;
      case 'wait':
        for (const end of this.#pauses.splice(0)) end();
        return;
      case 'join':
        return this.#join(this.#session(step.session), step.behind);
      case 'leave':
        return this.#leave(this.#session(step.session));
      case 'type':
        return void this.#room.typing(this.#session(step.session), true);
      case 'end':
        return this.#end(this.#session(step.session));
    }
  }

  async settle(): Promise<void> {
    this.history.release();
    for (let round = 0; round < 20 || this.#sessions.some(({ isJoining }) => isJoining); round++) {
      for (let left = this.#log.length - this.#at; left > 0; left--) this.#advanceTail();
      for (const end of this.#pauses.splice(0)) end();
      this.#turns.flush();
      await this.#tick();
      await turn();
      assert.ok(round < 2_000, 'every join is answered');
    }
    if (this.#faults.length > 0) throw this.#faults[0];
    for (const one of this.#sessions) {
      const isIn = this.#room.feed.hasJoined(one);
      assert.equal(isIn, one.isIn, `${one.userId} knows whether it is in the room`);
      if (isIn) assert.ok(this.#members.has(Number(one.userId.slice(1))), 'who is in the room is a member');
    }
    assert.ok(!this.#room.isEmpty || !this.#sessions.some(({ isIn }) => isIn));
  }

  /** By a timer, so not in the middle of what a turn has begun. */
  async #tick(): Promise<void> {
    await turn();
    this.#now += 1_000;
    this.#room.tick([]);
  }

  #changeMembership(user: number): void {
    const userId = `u${user}`;
    const wasMember = this.#members.delete(user);
    if (!wasMember) this.#members.add(user);
    this.#append(userId, wasMember ? made.left(userId) : made.joined(userId));
  }

  #append(by: string, body: Parameters<ReturnType<typeof roomHistory>['next']>[1]): void {
    const event = this.#events.next(by, body);
    this.#log.push(event);
    this.history.project(0, this.#log.length, event);
  }

  #advanceTail(): void {
    const event = this.#log[this.#at];
    if (!event) return;
    const isNews = event.metadata.version > this.#room.feed.version;
    const left = isNews && event.type === 'MemberLeft' ? event.userId : null;
    const losing = this.#sessions.filter((one) => one.userId === left && this.#room.feed.isLive(one));
    const [told, out] = [losing.map(({ toldWhy }) => toldWhy), losing.map(({ wasTakenOut }) => wasTakenOut)];
    // The node knows of it from here on: what is sent while it takes the event in is checked by what held before.
    this.#room.feed.accept(event);
    this.#at += 1;
    losing.forEach((one, index) => {
      this.#expect(one.toldWhy === (told[index] ?? 0) + 1, `${one.userId} is told once that it has left`);
      this.#expect(one.wasTakenOut === (out[index] ?? 0) + 1, `${one.userId} is taken out once`);
    });
    for (const { offset, reached } of this.#waiters) if (offset <= this.#at) reached(this.#at);
  }

  #join(one: WatchedSession, behind: number | null): void {
    if (one.isJoining || one.isEnded) return;
    one.isJoining = true;
    const joinings = this.#joiningsOf(one.userId);
    const after = behind === null ? undefined : Math.max(0, this.#log.length - behind);
    this.#room
      .join(one, after)
      .then(async (outcome) => {
        one.isJoining = false;
        one.isIn = this.#room.feed.hasJoined(one);
        const isMember = this.#isMember(one.userId);
        if (one.isEnded || isMember || !isRejection(outcome)) return;
        // A room that could not be loaded knows nothing of members; who was one again meanwhile may be told to try again.
        if ((await this.#room.opened()) !== null || this.#joiningsOf(one.userId) !== joinings) return;
        assert.equal(outcome.rejected, 'not_a_member', 'who has left is told so, also in the middle of resuming');
      })
      .catch((fault: unknown) => this.#faults.push(fault));
  }

  /** How often the user has become a member, as far as the node knows. */
  #joiningsOf(userId: string): number {
    const known = this.#log.slice(0, this.#room.feed.version).map(membershipChange);
    return known.filter((change) => change?.userId === userId && change.isMember).length;
  }

  #leave(one: WatchedSession): void {
    if (one.isJoining) return;
    this.#room.leave(one);
    one.isIn = false;
  }

  #end(one: WatchedSession): void {
    this.#room.leave(one);
    // A closed transport sends nothing, so what is flushed while it leaves is not looked at.
    one.isEnded = true;
    one.isIn = false;
  }

  #expect(holds: boolean, what: string): void {
    if (!holds) this.#faults.push(new assert.AssertionError({ message: what }));
  }

  #session(index: number): WatchedSession {
    const one = this.#sessions[index];
    assert.ok(one);
    return one;
  }

  #open(): Room {
    const clock = { now: () => this.#now };
    const sets = createMemoryExpiringSets({ clock, maxMembers: 1_000 });
    const pubSub = createMemoryPubSub();
    const restore = (): Promise<void> => this.#room.restorePresence();
    return new Room(
      { roomId: ROOM, partition: 0 },
      {
        source: this.history,
        blocks: new HistoryBlocks({ source: this.history, now: clock.now, bounds: { ...BOUNDS, blockEvents: 3 } }),
        resumeTurns: new ResumeTurns(1),
        tail: {
          hold: async () => {},
          release: () => {},
          recordsSeen: () => this.#at,
          catchUp: () => this.#catchUp(),
          upToDateAt: () => this.#now,
        },
        turns: this.#turns,
        metrics: silentMetrics,
        logger,
        now: clock.now,
        pause: () => new Promise((resolve) => this.#pauses.push(resolve)),
        sets,
        pubSub,
        signs: new NodeSigns({ nodeId: 'node', sets, pubSub, clock, logger, restore, lookAgain: () => {} }),
        onUnsaved: () => {},
        onFailed: (_, code) => this.#faults.push(new Error(`the room failed with ${code}`)),
        bounds: { ringFrames: 4, ringBytes: 10_000, missedPage: 3, resetAfter: 1_000 },
      },
    );
  }

  async #catchUp(): Promise<number> {
    const offset = this.#log.length;
    if (this.#at >= offset) return this.#at;
    return new Promise((reached) => this.#waiters.push({ offset, reached }));
  }
}

describe('access to a room (laws)', () => {
  it('RT-67 RT-68 RT-10 whatever happens, a socket whose user has left hears nothing more and is told once why', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(arbitraryStep, { maxLength: 150, size: 'max' }), async (steps) => {
        const world = new World();
        for (const step of steps) await world.step(step);
        await world.settle();
      }),
      { numRuns: 1_000 },
    );
  }).timeout(60_000);
});
