import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { LIMITS } from '../../schemas/limits.ts';
import { RoomTyping } from './room-typing.ts';

const userNamed = (index: number) => ({ userId: `u${index}`, username: 'U' });

class World {
  now = 1_000_000;
  readonly shown: string[] = [];
  readonly told: string[] = [];
  readonly typing = new RoomTyping({
    tell: (kind, { userId }) => this.told.push(`${kind} ${userId}`),
    show: ({ userId }, isTyping) => this.shown.push(`${isTyping ? 'typing' : 'stopped'} ${userId}`),
    now: () => this.now,
  });

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 1_000) {
      this.now += 1_000;
      this.typing.expire();
    }
  }

  /** How many are shown as typing now. */
  shownNow(): number {
    const users = new Set<string>();
    for (const line of this.shown) {
      const [what, userId = ''] = line.split(' ');
      if (what === 'typing') users.add(userId);
      else assert.ok(users.delete(userId), 'who was not shown does not stop');
    }
    return users.size;
  }
}

describe('typing in a room', () => {
  it('RT-66 of many who type at once a few are shown; another one is when one of them ends', () => {
    const world = new World();
    for (let user = 0; user < 1_000; user++) world.typing.type(userNamed(user));
    world.typing.hear([userNamed(2_000)], true);
    assert.equal(world.shownNow(), LIMITS.typingShown);
    assert.equal(world.told.length, LIMITS.typingShown);
    world.pass(1_000);
    world.typing.type(userNamed(500));
    world.typing.stop(userNamed(501));
    assert.deepEqual([world.shown.length, world.told.length], [LIMITS.typingShown, LIMITS.typingShown]);
    world.typing.stop(userNamed(0));
    world.typing.type(userNamed(500));
    assert.deepEqual(world.shown.slice(-2), ['stopped u0', 'typing u500']);
    world.pass(LIMITS.typingMs);
    assert.equal(world.shownNow(), 0);
    world.typing.type(userNamed(3));
    assert.equal(world.shownNow(), 1);
  });

  it('RT-66 however often who types begins and ends, few frames a second come of it', () => {
    const world = new World();
    const seconds = 20;
    for (let second = 0; second < seconds; second++) {
      for (let round = 0; round < 10; round++) {
        for (let user = 0; user < 200; user++) world.typing.type(userNamed(user));
        for (let user = 0; user < 200; user++) world.typing.stop(userNamed(user));
      }
      world.pass(1_000);
    }
    assert.ok(world.shown.length <= 2 * seconds * LIMITS.typingPerSecond, `${world.shown.length} frames`);
    assert.ok(world.told.length <= world.shown.length);
    assert.equal(world.shownNow(), 0);
  });
});
