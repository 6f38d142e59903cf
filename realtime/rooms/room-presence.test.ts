import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, it } from 'mocha';
import pino from 'pino';
import {
  createMemoryExpiringSets,
  type ExpiringSets,
  ExpiringSetsUnavailableError,
} from '../../platform/expiring-sets.ts';
import { createMemoryPubSub, type PubSub } from '../../platform/pub-sub.ts';
import { parseEntry, presenceKey } from '../../schemas/presence.ts';
import { BOUNDS } from '../bounds.ts';
import { NodeSigns } from './node-signs.ts';
import { Renewals } from './renewals.ts';
import { RoomPresence } from './room-presence.ts';
import type { RoomSignalKind } from './room-signals.ts';

const ADA = { userId: 'ada', username: 'Ada' };
const BOB = { userId: 'bob', username: 'Bob' };
const ROOM = 'r';
const logger = pino({ level: 'silent' });

/** Nodes with one room each, whose signals can be lost and whose shared sets can be emptied or go away. */
class World {
  now = 1_000_000;
  readonly clock = { now: (): number => this.now };
  sets: ExpiringSets = this.emptySets();
  readonly pubSub: PubSub = createMemoryPubSub();
  readonly nodes: Node[] = [];
  areSignalsLost = false;
  areSetsAway = false;

  async open(nodeId: string): Promise<Node> {
    const node = new Node(nodeId, this);
    this.nodes.push(node);
    await node.signs.open();
    await node.presence.open();
    return node;
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 1_000) {
      this.now += 1_000;
      for (const node of this.nodes) {
        for (const dead of node.signs.tick()) node.presence.nodeDied(dead);
        node.renewals.tick();
      }
      await settle();
    }
  }

  async renew(): Promise<void> {
    await Promise.allSettled(this.nodes.map(({ presence }) => presence.renew()));
  }

  kill(node: Node): void {
    node.isDead = true;
    this.nodes.splice(this.nodes.indexOf(node), 1);
  }

  emptySets(): ExpiringSets {
    return createMemoryExpiringSets({ clock: this.clock, maxMembers: 10_000 });
  }

  /** Who is in the shared set, as `user@node`. */
  async entries(): Promise<string[]> {
    const texts = await this.sets.members(presenceKey(ROOM));
    return texts.map((text) => parseEntry(text)).map((entry) => `${entry?.userId}@${entry?.node}`);
  }
}

class Node {
  readonly signs: NodeSigns;
  readonly presence: RoomPresence;
  readonly renewals: Renewals;
  readonly news: string[] = [];
  /** Users of each batch told to others, and entries of each write. */
  readonly batches: number[] = [];
  isDead = false;
  /** Gets no signals, and its own signs do not come back. */
  isDeaf = false;
  /** Cannot reach the shared sets. */
  isCutOff = false;
  /** What the node reads next comes only after this. */
  reading: Promise<void> = Promise.resolve();

  constructor(nodeId: string, world: World) {
    const reach = <Value>(action: () => Promise<Value>): Promise<Value> =>
      world.areSetsAway || this.isCutOff ? Promise.reject(new ExpiringSetsUnavailableError('away')) : action();
    const sets: ExpiringSets = {
      add: (...args) => reach(() => world.sets.add(...args)),
      addMany: (...args) => reach(() => world.sets.addMany(...args)),
      remove: (...args) => reach(() => world.sets.remove(...args)),
      removeMany: (...args) => reach(() => world.sets.removeMany(...args)),
      members: async (...args) => {
        const read = await reach(() => world.sets.members(...args));
        await this.reading;
        return read;
      },
    };
    const pubSub: PubSub = {
      publish: (channel, text) => (this.isDead ? Promise.resolve() : world.pubSub.publish(channel, text)),
      subscribe: (channel, handler) =>
        world.pubSub.subscribe(channel, (text) => this.isDead || this.isDeaf || handler(text)),
    };
    this.signs = new NodeSigns({
      nodeId,
      sets,
      pubSub,
      clock: world.clock,
      logger,
      restore: () => this.renewals.restore(),
      lookAgain: () => this.renewals.hurry(),
    });
    this.presence = new RoomPresence(ROOM, {
      sets,
      signs: this.signs,
      logger,
      onUnsaved: () => this.renewals.hurry(),
      tell: async (kind: RoomSignalKind, users) => {
        if (users.length > 0) this.batches.push(users.length);
        for (const other of world.nodes) {
          if (other !== this && !world.areSignalsLost && !other.isDeaf)
            other.presence.hear(nodeId, users, kind === 'present');
        }
      },
      onChange: (user, isPresent) => this.news.push(`${user.userId} ${isPresent ? 'came' : 'went'}`),
    });
    const room = {
      restorePresence: () => this.presence.restore(),
      renewPresence: () => this.presence.renew(),
    };
    this.renewals = new Renewals({ rooms: () => [room].values(), roomCount: () => 1, logger });
  }

  takeNews(): string[] {
    return this.news.splice(0);
  }
}

/** Lets what is under way end. */
async function settle(): Promise<void> {
  for (let round = 0; round < 10; round++) await turn();
}

describe('presence in a room', () => {
  it('RT-11 tells each change once on every node, and a user on two nodes goes with the second', async () => {
    const world = new World();
    const [one, two] = [await world.open('one'), await world.open('two')];
    one.presence.arrive(ADA);
    two.presence.arrive(ADA);
    await settle();
    one.presence.depart('ada');
    await settle();
    assert.deepEqual([one.takeNews(), two.takeNews()], [['ada came'], ['ada came']]);
    assert.deepEqual(await world.entries(), ['ada@two']);
    two.presence.depart('ada');
    await settle();
    assert.deepEqual([one.takeNews(), two.takeNews()], [['ada went'], ['ada went']]);
    assert.deepEqual(await world.entries(), []);
  });

  it('RT-11 a node that begins later knows who is there, which is no news', async () => {
    const world = new World();
    const one = await world.open('one');
    one.presence.arrive(ADA);
    await settle();
    const two = await world.open('two');
    two.presence.arrive(ADA);
    await settle();
    assert.deepEqual(two.takeNews(), []);
    one.presence.depart('ada');
    two.presence.depart('ada');
    await settle();
    assert.deepEqual(two.takeNews(), ['ada went']);
  });

  it('RT-65 the users of a node that died are gone within 10 s, also for a node that began after it', async () => {
    const world = new World();
    const [one, two] = [await world.open('one'), await world.open('two')];
    two.presence.arrive(ADA);
    one.presence.arrive(BOB);
    await settle();
    one.takeNews();
    await world.pass(4_000);
    world.kill(two);
    await world.pass(3_000);
    const three = await world.open('three');
    assert.equal(three.presence.count, 2);
    await world.pass(6_000);
    assert.deepEqual([one.takeNews(), three.takeNews()], [['ada went'], ['ada went']]);
    await world.pass(BOUNDS.presenceRenewMs);
    const four = await world.open('four');
    assert.deepEqual([one.takeNews(), three.takeNews(), four.presence.count], [[], [], 1]);
  });

  it('RT-11 signals that were lost are made up for by renewal', async () => {
    const world = new World();
    const [one, two] = [await world.open('one'), await world.open('two')];
    await world.pass(2_000);
    world.areSignalsLost = true;
    one.presence.arrive(ADA);
    await settle();
    await world.renew();
    assert.deepEqual(two.takeNews(), ['ada came']);
    one.presence.depart('ada');
    for (let look = 0; look < 2; look++) {
      await world.pass(2_000);
      await world.renew();
    }
    assert.deepEqual(two.takeNews(), ['ada went']);
  });

  it('RT-11 RT-64 a shared set that was lost, or cannot be reached, makes nobody go, and is filled again at once', async () => {
    const world = new World();
    const [one, two] = [await world.open('one'), await world.open('two')];
    one.presence.arrive(ADA);
    await world.pass(4_000);
    two.takeNews();
    world.sets = world.emptySets();
    await two.presence.renew();
    await two.presence.renew();
    assert.deepEqual([two.takeNews(), await world.entries()], [[], []]);
    await world.pass(3_000);
    assert.deepEqual([two.takeNews(), await world.entries()], [[], ['ada@one']]);
    world.areSetsAway = true;
    await world.pass(60_000);
    assert.deepEqual(two.takeNews(), []);
    one.presence.depart('ada');
    await settle();
    assert.deepEqual(two.takeNews(), ['ada went']);
  });

  it('RT-64 what happened while the sets and the signals were away is right everywhere within 10 s', async () => {
    for (const isEmptied of [true, false]) {
      const world = new World();
      const [one, two] = [await world.open('one'), await world.open('two')];
      one.presence.arrive(ADA);
      await world.pass(4_000);
      world.areSetsAway = true;
      world.areSignalsLost = true;
      one.presence.arrive(BOB);
      one.presence.depart('ada');
      await world.pass(20_000);
      two.takeNews();
      world.areSetsAway = false;
      world.areSignalsLost = false;
      if (isEmptied) world.sets = world.emptySets();
      await world.pass(10_000);
      assert.deepEqual(two.takeNews().sort(), ['ada went', 'bob came'], isEmptied ? 'emptied' : 'kept');
      assert.deepEqual([await world.entries(), one.presence.isUnsaved], [['bob@one'], false]);
    }
  });

  it('RT-64 a sign of life is put back after the entries that it vouches for', async () => {
    const world = new World();
    const one = await world.open('one');
    one.presence.arrive(ADA);
    await world.pass(4_000);
    world.sets = world.emptySets();
    const { add } = world.sets;
    const whenSigned: string[][] = [];
    world.sets.add = async (...args) => {
      whenSigned.push(await world.entries());
      return add(...args);
    };
    await world.pass(4_000);
    assert.deepEqual(whenSigned, [['ada@one'], ['ada@one']]);
  });

  it('RT-64 a node that alone was cut off from the sets and the signals is right within 10 s', async () => {
    for (const cut of ['isCutOff', 'isDeaf'] as const) {
      const world = new World();
      const [one, two] = [await world.open('one'), await world.open('two')];
      one.presence.arrive(ADA);
      await world.pass(4_000);
      two.takeNews();
      two[cut] = true;
      if (cut === 'isCutOff') world.areSignalsLost = true;
      one.presence.arrive(BOB);
      one.presence.depart('ada');
      await world.pass(10_000);
      assert.deepEqual(two.takeNews(), [], cut);
      two[cut] = false;
      world.areSignalsLost = false;
      await world.pass(10_000);
      assert.deepEqual(two.takeNews().sort(), ['ada went', 'bob came'], cut);
    }
  });

  it('RT-64 what a look read is older than a signal that came meanwhile', async () => {
    const world = new World();
    const [one, two] = [await world.open('one'), await world.open('two')];
    one.presence.arrive(ADA);
    await world.pass(4_000);
    two.takeNews();
    const { promise, resolve: answer } = Promise.withResolvers<void>();
    two.reading = promise;
    const renewed = two.presence.renew();
    await settle();
    one.presence.depart('ada');
    await settle();
    answer();
    await renewed;
    assert.deepEqual(two.takeNews(), ['ada went']);
  });

  it('RT-64 an entry that could not be taken out is taken out with the next renewal', async () => {
    const world = new World();
    const one = await world.open('one');
    one.presence.arrive(ADA);
    await settle();
    world.areSetsAway = true;
    one.presence.depart('ada');
    await settle();
    assert.ok(one.presence.isUnsaved);
    world.areSetsAway = false;
    assert.deepEqual(await world.entries(), ['ada@one']);
    await world.pass(2_000);
    assert.deepEqual([await world.entries(), one.presence.isUnsaved], [[], false]);
  });

  it('RT-11 nobody counts as dead while the broker is away', async () => {
    const world = new World();
    const [one, two] = [await world.open('one'), await world.open('two')];
    one.presence.arrive(ADA);
    await settle();
    two.takeNews();
    const publish = world.pubSub.publish;
    world.pubSub.publish = () => Promise.reject(new Error('away'));
    await world.pass(60_000);
    world.pubSub.publish = publish;
    await world.pass(5_000);
    assert.deepEqual(two.takeNews(), []);
  });

  it('RT-65 a node that was silent for too long and comes back has its users back within 10 s', async () => {
    const world = new World();
    const [one, two] = [await world.open('one'), await world.open('two')];
    one.presence.arrive(ADA);
    await settle();
    two.takeNews();
    world.kill(one);
    await world.pass(20_000);
    assert.deepEqual(two.takeNews(), ['ada went']);
    one.isDead = false;
    world.nodes.push(one);
    await world.pass(10_000);
    assert.deepEqual([two.takeNews(), one.takeNews()], [['ada came'], ['ada came']]);
  });

  it('RT-63 what happens at once is written and told in few batches of bounded size, the last word of each user', async () => {
    const world = new World();
    const [one, two] = [await world.open('one'), await world.open('two')];
    for (let user = 0; user < 1_000; user++) one.presence.arrive({ userId: `u${user}`, username: 'U' });
    for (let user = 0; user < 300; user++) one.presence.depart(`u${user}`);
    await settle();
    assert.deepEqual([one.presence.count, two.presence.count], [700, 700]);
    assert.equal((await world.entries()).length, 700);
    assert.ok(Math.max(...one.batches) <= BOUNDS.presenceBatch);
    assert.ok(one.batches.length <= 2 * (1_000 / BOUNDS.presenceBatch), `${one.batches.length} batches`);
  });

  it('RT-63 each room is renewed once in the time for it, and rooms that come and go meanwhile disturb nothing', async () => {
    const renewed = new Map<string, number>();
    const rooms = new Map<string, { restorePresence(): Promise<void>; renewPresence(): Promise<void> }>();
    const addRoom = (name: string): void => {
      const renewPresence = async () => void renewed.set(name, (renewed.get(name) ?? 0) + 1);
      rooms.set(name, { restorePresence: async () => {}, renewPresence });
    };
    for (let room = 0; room < 100; room++) addRoom(`stays${room}`);
    const renewals = new Renewals({ rooms: () => rooms.values(), roomCount: () => rooms.size, logger });
    const ticks = (3 * BOUNDS.presenceRenewMs) / 1_000;
    for (let tick = 0; tick < ticks; tick++) {
      rooms.delete(`comes${tick - 5}`);
      addRoom(`comes${tick}`);
      renewals.tick();
      await settle();
    }
    for (let room = 0; room < 100; room++) {
      const times = renewed.get(`stays${room}`) ?? 0;
      assert.ok(times >= 2 && times <= 4, `room ${room} was renewed ${times} times`);
    }
  });
});
