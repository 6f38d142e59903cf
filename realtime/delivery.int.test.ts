// How frames leave a node: joined, counted, and bounded for sockets that do not read.
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { holds } from '../platform/pub-sub-contract.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { type ChatSocket, openSocket } from '../tests/e2e/support/chat-socket.ts';
import { openRealtimeWorld, type RealtimeNode, type RealtimeWorld } from '../tests/support/realtime-world.ts';

type Said = { message: string; roomId: string };

describe('delivery', () => {
  let world: RealtimeWorld;
  let node: RealtimeNode;
  const sockets: ChatSocket[] = [];

  beforeEach(async () => {
    world = await openRealtimeWorld();
    node = await world.openNode();
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.socket.terminate();
    await world.close();
  });

  async function connect(userId: string, ...roomIds: string[]): Promise<ChatSocket> {
    const socket = await openSocket(node.url, world.token(userId));
    sockets.push(socket);
    for (const roomId of roomIds) await socket.ask(CLIENT_FRAMES.joinRoom, { roomId });
    return socket;
  }

  it('RT-131 what one turn has for a socket, over all its rooms, leaves in one write', async () => {
    const roomIds = [await world.room('ada', 'bob', 'cleo'), await world.room('ada', 'bob', 'cleo')];
    const members = [];
    for (const user of ['ada', 'bob', 'cleo']) members.push(await connect(user, ...roomIds));
    const before = await node.metric('roomlog_realtime_writes_total');
    const deliveredBefore = await node.metric('roomlog_realtime_deliveries_total');
    const texts = Array.from({ length: 50 }, (_, n) => `m${n}`);
    await Promise.all(texts.flatMap((text) => roomIds.map((roomId) => world.say('ada', roomId, text))));
    for (const member of members) {
      for (const roomId of roomIds) {
        const isLast = (said: Said) => said.roomId === roomId && said.message === texts.at(-1);
        await member.next<Said>(SERVER_FRAMES.receiveMessage, isLast);
        const heard = member.all<Said>(SERVER_FRAMES.receiveMessage).filter((said) => said.roomId === roomId);
        assert.deepEqual(
          heard.map(({ message }) => message),
          texts,
        );
      }
    }
    const delivered = (await node.metric('roomlog_realtime_deliveries_total')) - deliveredBefore;
    const writes = (await node.metric('roomlog_realtime_writes_total')) - before;
    assert.equal(delivered, members.length * roomIds.length * texts.length);
    assert.ok(writes * 5 <= delivered, `${writes} writes for ${delivered} frames`);
  });

  it('RT-133 a client that joins many rooms at once and reads gets all of them, however much that is together', async () => {
    const roomIds = await Promise.all(Array.from({ length: 100 }, () => world.room('ada', 'bob')));
    const text = 'x'.repeat(1_900);
    for (const roomId of roomIds) await Promise.all(Array.from({ length: 25 }, () => world.say('ada', roomId, text)));
    // Loads them, so that what follows comes from memory.
    await connect('ada', ...roomIds);
    for (const after of [{}, { after: 2 }]) {
      const bob = await connect('bob');
      const answers = await Promise.all(
        roomIds.map((roomId) => bob.answer(CLIENT_FRAMES.joinRoom, { roomId, ...after })),
      );
      assert.ok(answers.every(({ error }) => error === undefined));
    }
  }).timeout(60_000);

  it('RT-130 what waits for a socket that does not read is counted, until it reads', async () => {
    const roomId = await world.room('ada', 'bob');
    const [ada, bob] = [await connect('ada', roomId), await connect('bob', roomId)];
    bob.socket.pause();
    const waiting = async () => {
      node.role.tick();
      return (await node.metric('roomlog_realtime_backlog_bytes')) > 0;
    };
    let said = 0;
    while (!(await waiting())) {
      await Promise.all(Array.from({ length: 100 }, () => world.say('ada', roomId, 'é'.repeat(2_000))));
      said += 100;
      assert.ok(said < 20_000, 'what waits is counted at last');
    }
    bob.socket.resume();
    await holds(() => [ada, bob].every((socket) => socket.all(SERVER_FRAMES.receiveMessage).length === said));
    while (await waiting()) await setImmediate();
  }).timeout(60_000);
});
