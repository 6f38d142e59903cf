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
import { BOUNDS } from '../bounds.ts';
import { NodeSigns } from './node-signs.ts';
import { RoomPresence } from './room-presence.ts';
import type { RoomSignalKind } from './room-signals.ts';

const ADA = { userId: 'ada', username: 'Ada' };
const BOB = { userId: 'bob', username: 'Bob' };
const logger = pino({ level: 'silent' });

/** Nodes with one room each, whose signals can be lost. */
class World {
  now = 1_000_000;
  readonly clock = { now: (): number => this.now };
  sets: ExpiringSets = createMemoryExpiringSets({ clock: this.clock, maxMembers: 100 });
  readonly pubSub: PubSub = createMemoryPubSub();
  readonly nodes: Node[] = [];
  areSignalsLost = false;

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
      for (const node of this.nodes) for (const dead of node.signs.tick()) node.presence.nodeDied(dead);
      await turn();
    }
  }

  async renew(): Promise<void> {
    await Promise.all(this.nodes.map(({ presence }) => presence.renew()));
  }

  kill(node: Node): void {
    node.signs.stop();
    this.nodes.splice(this.nodes.indexOf(node), 1);
  }
}

class Node {
  readonly signs: NodeSigns;
  readonly presence: RoomPresence;
  readonly news: string[] = [];

  constructor(nodeId: string, world: World) {
    this.signs = new NodeSigns({ nodeId, pubSub: world.pubSub, clock: world.clock, logger });
    const sets: ExpiringSets = {
      add: (key, member, ttlMs) => world.sets.add(key, member, ttlMs),
      remove: (key, member) => world.sets.remove(key, member),
      members: (key) => world.sets.members(key),
    };
    this.presence = new RoomPresence('r', {
      sets,
      signs: this.signs,
      logger,
      tell: (kind: RoomSignalKind, user) => {
        for (const other of world.nodes) {
          if (other !== this && !world.areSignalsLost) other.presence.hear(nodeId, user, kind === 'present');
        }
      },
      onChange: (user, isPresent) => this.news.push(`${user.userId} ${isPresent ? 'came' : 'went'}`),
    });
  }

  takeNews(): string[] {
    return this.news.splice(0);
  }
}

describe('presence in a room', () => {
  it('RT-11 tells each change once on every node, and a user on two nodes goes with the second', async () => {
    const world = new World();
    const [one, two] = [await world.open('one'), await world.open('two')];
    one.presence.arrive(ADA);
    two.presence.arrive(ADA);
    one.presence.depart(ADA);
    assert.deepEqual([one.takeNews(), two.takeNews()], [['ada came'], ['ada came']]);
    two.presence.depart(ADA);
    assert.deepEqual([one.takeNews(), two.takeNews()], [['ada went'], ['ada went']]);
  });

  it('RT-11 a node that begins later knows who is there, which is no news', async () => {
    const world = new World();
    const one = await world.open('one');
    one.presence.arrive(ADA);
    const two = await world.open('two');
    two.presence.arrive(ADA);
    assert.deepEqual(two.takeNews(), []);
    one.presence.depart(ADA);
    two.presence.depart(ADA);
    assert.deepEqual(two.takeNews(), ['ada went']);
  });

  it('RT-11 the users of a node that died are gone within 10 s', async () => {
    const world = new World();
    const [one, two] = [await world.open('one'), await world.open('two')];
    two.presence.arrive(ADA);
    one.presence.arrive(BOB);
    one.takeNews();
    await world.pass(4_000);
    world.kill(two);
    await world.pass(10_000);
    assert.deepEqual(one.takeNews(), ['ada went']);
    const three = await world.open('three');
    await world.pass(10_000);
    await world.renew();
    await world.renew();
    assert.deepEqual(one.takeNews(), []);
    // What the dead node left in the set is not believed by a node that never heard of it either.
    three.presence.arrive(ADA);
    three.presence.depart(ADA);
    await world.pass(BOUNDS.presenceMs);
    await world.renew();
    assert.deepEqual(one.takeNews().slice(-1), ['ada went']);
  });

  it('RT-11 signals that were lost are made up for by renewal', async () => {
    const world = new World();
    const [one, two] = [await world.open('one'), await world.open('two')];
    world.areSignalsLost = true;
    one.presence.arrive(ADA);
    await world.renew();
    assert.deepEqual(two.takeNews(), ['ada came']);
    one.presence.depart(ADA);
    await world.renew();
    await world.renew();
    assert.deepEqual(two.takeNews(), ['ada went']);
  });

  it('RT-11 a shared set that was lost, or cannot be reached, makes nobody go', async () => {
    const world = new World();
    const [one, two] = [await world.open('one'), await world.open('two')];
    one.presence.arrive(ADA);
    two.takeNews();
    world.sets = createMemoryExpiringSets({ clock: world.clock, maxMembers: 100 });
    await two.presence.renew();
    await world.renew();
    assert.deepEqual(two.takeNews(), []);
    const fail = () => Promise.reject(new ExpiringSetsUnavailableError('away'));
    world.sets = { add: fail, remove: fail, members: fail };
    await world.renew();
    await world.renew();
    await world.renew();
    assert.deepEqual(two.takeNews(), []);
    one.presence.depart(ADA);
    assert.deepEqual(two.takeNews(), ['ada went']);
  });

  it('RT-11 nobody counts as dead while the broker is away', async () => {
    const world = new World();
    const [one, two] = [await world.open('one'), await world.open('two')];
    one.presence.arrive(ADA);
    two.takeNews();
    const publish = world.pubSub.publish;
    world.pubSub.publish = () => Promise.reject(new Error('away'));
    await world.pass(60_000);
    world.pubSub.publish = publish;
    await world.pass(5_000);
    assert.deepEqual(two.takeNews(), []);
  });
});
