import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { LIMITS } from '../../schemas/limits.ts';
import type { PresentUser } from '../../schemas/presence.ts';
import type { ServerFrameData } from '../../schemas/server-frames.ts';
import { HeardParticipant } from '../../tests/support/heard-transport.ts';
import type { EncodedFrame } from '../frames/encoded-frame.ts';
import { PresenceFrames } from './presence-frames.ts';

type PresenceData = ServerFrameData<'presence'>;

const userNamed = (userId: string): PresentUser => ({ userId, username: `the ${userId}` });

class World {
  now = 1_000_000;
  readonly present = new Map<string, PresentUser>();
  readonly live = new Set<HeardParticipant>();
  readonly sent = new Set<EncodedFrame>();
  readonly frames: PresenceFrames;

  constructor() {
    const { present } = this;
    this.frames = new PresenceFrames({
      roomId: 'r',
      present: {
        get count() {
          return present.size;
        },
        present: () => present.values(),
      },
      now: () => this.now,
      isLive: (session) => this.live.has(session as HeardParticipant),
      sendToLive: (frame, isMeant) => {
        for (const session of this.live) if (isMeant(session)) session.transport.send(frame);
      },
    });
  }

  comes(userId: string): HeardParticipant {
    const session = this.joins(userId);
    this.present.set(userId, userNamed(userId));
    this.frames.came(userNamed(userId));
    return session;
  }

  /** Another socket of somebody who is there, or the same one again. */
  joins(userId: string, session: HeardParticipant = listener(userId, this.sent)): HeardParticipant {
    this.live.add(session);
    this.frames.joined(session);
    return session;
  }

  goes(userId: string, isCertain = false): void {
    this.present.delete(userId);
    for (const session of this.live) if (session.userId === userId) this.live.delete(session);
    this.frames.went(userNamed(userId), isCertain);
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 1_000) {
      this.now += 1_000;
      this.frames.tick();
    }
  }
}

function listener(userId: string, sent: Set<EncodedFrame>): HeardParticipant {
  const session = new HeardParticipant(userId);
  const send = session.transport.send.bind(session.transport);
  session.transport.send = (frame) => {
    sent.add(frame);
    send(frame);
  };
  return session;
}

/** What the client knows from its frames, and how many there were since it was asked last. */
function take(session: HeardParticipant): PresenceData[] {
  return session.transport.frames.splice(0).map(({ data }) => data as PresenceData);
}

const ids = (users: readonly PresentUser[] | undefined): string[] => (users ?? []).map(({ userId }) => userId).sort();

describe('presence frames', () => {
  it('RT-61 who joins is told all who are present, the others who came, each in one frame', () => {
    const world = new World();
    const ada = world.comes('ada');
    assert.deepEqual(take(ada), []);
    world.pass(1_000);
    const everybody = { members: [userNamed('ada')], joined: [], left: [] };
    assert.deepEqual(take(ada), [{ roomId: 'r', count: 1, large: false, ...everybody }]);
    const [bob, cy] = [world.comes('bob'), world.comes('cy')];
    world.pass(1_000);
    assert.deepEqual(take(ada), [
      { roomId: 'r', count: 3, large: false, joined: [userNamed('bob'), userNamed('cy')], left: [] },
    ]);
    assert.deepEqual(
      [bob, cy].map((session) => take(session).map(({ count, members }) => [count, ids(members)])),
      [[[3, ['ada', 'bob', 'cy']]], [[3, ['ada', 'bob', 'cy']]]],
    );
    world.joins('ada', ada);
    world.pass(5_000);
    assert.deepEqual(
      take(ada).map(({ count, members }) => [count, ids(members)]),
      [[3, ['ada', 'bob', 'cy']]],
    );
    assert.deepEqual(take(bob), []);
  });

  it('RT-61 who goes is told as gone after a while, and who is back by then is no news', () => {
    const world = new World();
    const ada = world.comes('ada');
    world.comes('bob');
    world.comes('cy');
    world.pass(1_000);
    take(ada);
    world.goes('bob');
    world.goes('cy');
    world.pass(1_000);
    const bob = world.comes('bob');
    world.pass(1_000);
    assert.deepEqual(take(ada), [{ roomId: 'r', count: 2, large: false, joined: [], left: [userNamed('cy')] }]);
    assert.deepEqual(
      take(bob).map(({ members }) => ids(members)),
      [['ada', 'bob']],
    );
    world.goes('bob', true);
    world.pass(1_000);
    assert.deepEqual(take(ada), [{ roomId: 'r', count: 1, large: false, joined: [], left: [userNamed('bob')] }]);
    world.comes('dan');
    world.goes('dan');
    world.pass(5_000);
    assert.deepEqual(take(ada), []);
  });

  it('RT-61 who leaves before being told is told nothing', () => {
    const world = new World();
    const ada = world.comes('ada');
    world.goes('ada');
    world.pass(3_000);
    assert.deepEqual(take(ada), []);
  });

  it('RT-61 what a client makes of its frames is always the count, and in the end who is present', () => {
    const world = new World();
    const ada = world.comes('ada');
    const known = new Set<string>();
    const follow = (): void => {
      for (const { members, joined, left, count, large } of take(ada)) {
        if (members) known.clear();
        for (const { userId } of [...(members ?? []), ...joined]) known.add(userId);
        for (const { userId } of left) assert.ok(known.delete(userId), 'only who is known can go');
        if (!large) assert.equal(known.size, count);
      }
    };
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    for (let step = 0; step < 4_000; step++) {
      const userId = `u${random(step % 1_000 < 500 ? 20 : 250)}`;
      if (world.present.has(userId)) world.goes(userId, random(4) === 0);
      else world.comes(userId);
      if (random(3) === 0) world.pass(1_000);
      follow();
    }
    for (const userId of [...world.present.keys()].slice(10)) if (userId !== 'ada') world.goes(userId);
    world.pass(5_000);
    follow();
    assert.deepEqual([...known].sort(), [...world.present.keys()].sort());
  });

  it('RT-62 a large room has the count alone, in frames that all share, one in two seconds', () => {
    const world = new World();
    const first = world.comes('first');
    for (let user = 1; user < LIMITS.presenceNames; user++) world.comes(`u${user}`);
    world.pass(1_000);
    assert.equal(take(first)[0]?.members?.length, LIMITS.presenceNames);
    assert.equal(world.frames.isLarge, false);
    for (const session of world.live) take(session);
    world.sent.clear();
    for (let user = 0; user < 1_000; user++) world.comes(`late${user}`);
    assert.ok(world.frames.isLarge);
    world.pass(1_000);
    const count = LIMITS.presenceNames + 1_000;
    const frame = { roomId: 'r', count, large: true, joined: [], left: [] };
    for (const session of world.live) assert.deepEqual(take(session), [frame]);
    assert.equal(world.sent.size, 1);
    for (let second = 0; second < 10; second++) {
      world.comes(`later${second}`);
      world.pass(1_000);
    }
    assert.deepEqual(
      take(first).map((told) => told.count - count),
      [2, 4, 6, 8, 10],
    );
    world.goes('later1');
    world.comes('later1');
    world.pass(5_000);
    assert.deepEqual(take(first), []);
  });

  it('RT-62 a room is small again when half as many are left, and then everybody is told the names', () => {
    const world = new World();
    const ada = world.comes('ada');
    for (let user = 0; user < LIMITS.presenceNames; user++) world.comes(`u${user}`);
    world.pass(3_000);
    for (let user = 0; user < LIMITS.presenceNames / 2; user++) world.goes(`u${user}`);
    world.pass(3_000);
    assert.ok(take(ada).every(({ large, members }) => large && members === undefined));
    world.goes('u60');
    world.pass(1_000);
    const [told] = take(ada);
    assert.deepEqual([told?.large, told?.count, told?.members?.length], [false, 50, 50]);
  });
});
