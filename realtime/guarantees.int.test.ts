// What every transport guarantees to an ordinary client of it, written once: nothing lost, nothing twice, everything in order, and
// nothing that is not one's own, however connections break.
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { SERVER_FRAMES } from '../schemas/wire.ts';
import { openRealtimeWorld, type RealtimeNode, type RealtimeWorld } from '../tests/support/realtime-world.ts';
import { CONNECTS, ResumingClient } from '../tests/support/resuming-clients.ts';
import { openTcpProxy, type TcpProxy } from '../tests/support/tcp-proxy.ts';
import { openWriteSide, type WriteSide } from '../tests/support/write-side.ts';

/** How a network breaks: at once, in the middle of a frame of either side, or after it has lost for a while what one side says. */
type Break = { how: 'cut' | 'mid answers' | 'mid requests' | 'lose answers' | 'lose requests'; afterMessages: number };

const LOSING_MS = 20;

const arbitraryBreaks = (...hows: Break['how'][]): fc.Arbitrary<Break[]> =>
  fc.array(fc.record({ how: fc.constantFrom(...hows), afterMessages: fc.nat({ max: 40 }) }), {
    minLength: 4,
    maxLength: 10,
    size: 'max',
  });

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at);

for (const [transport, connect] of Object.entries(CONNECTS)) {
  const canSpeak = transport !== 'Server-Sent Events';

  describe(`a client over ${transport}`, () => {
    let world: RealtimeWorld;
    let writeSide: WriteSide;
    let node: RealtimeNode;
    let proxy: TcpProxy;
    let otherProxy: TcpProxy;
    const clients: ResumingClient[] = [];
    const talks: { stop(): Promise<number> }[] = [];

    beforeEach(async () => {
      world = await openRealtimeWorld({
        openCommands: async (log) => {
          writeSide = await openWriteSide(log);
          return writeSide;
        },
      });
      node = await world.openNode();
      const server = { host: '127.0.0.1', port: Number(new URL(node.httpUrl).port) };
      proxy = await openTcpProxy(server, { isRecording: false });
      otherProxy = await openTcpProxy(server, { isRecording: false });
    });

    afterEach(async () => {
      for (const talk of talks.splice(0)) await talk.stop();
      for (const client of clients.splice(0)) client.close();
      await proxy.close();
      await otherProxy.close();
      await writeSide.stop();
      await world.close();
    });

    async function join(userId: string, roomId: string, after: number, by = proxy): Promise<ResumingClient> {
      const token = () => world.token(userId, { isOperator: true });
      const { host, port } = by;
      const client = new ResumingClient({ host, port, token, roomId, after }, connect);
      clients.push(client);
      await client.until(() => client.joins > 0);
      return client;
    }

    /** Says one message after the other until it is stopped; then it resolves with how many there were. */
    function keepSaying(userId: string, roomId: string) {
      let isStopped = false;
      const talk = { sent: 0, stop };
      const saying = (async () => {
        while (!isStopped) {
          await world.say(userId, roomId, `${'é'.repeat(200)} ${talk.sent}`);
          talk.sent += 1;
          // Everything here runs in one process: the others have to come to it too.
          await pause(1);
        }
      })();
      async function stop(): Promise<number> {
        isStopped = true;
        await saying;
        return talk.sent;
      }
      talks.push(talk);
      return talk;
    }

    /** Breaks all connections in each of these ways, each once that many messages more have been sent. */
    async function breakConnections(breaks: readonly Break[], sent: () => number): Promise<void> {
      const passed = async (count: number): Promise<void> => {
        const wanted = sent() + count;
        while (sent() < wanted) await new Promise(setImmediate);
      };
      for (const { how, afterMessages } of breaks) {
        await passed(afterMessages);
        if (how === 'mid answers') proxy.cutMidStream('answers');
        if (how === 'mid requests') proxy.cutMidStream('requests');
        if (how === 'lose answers') proxy.swallowAnswers();
        if (how === 'lose requests') proxy.swallowRequests();
        // Long enough for something to be lost; how much makes no difference to what must hold.
        if (how.startsWith('lose')) await pause(LOSING_MS);
        if (!how.startsWith('mid')) proxy.cut();
      }
    }

    it('RT-121 that is cut again and again while much is said gets every version exactly once, in order', async () => {
      const breaking = arbitraryBreaks('cut', 'mid answers', 'lose answers');
      await fc.assert(
        fc.asyncProperty(breaking, async (breaks) => {
          const roomId = await world.room('ada', 'bob', 'cid');
          const listeners = await Promise.all(['ada', 'bob', 'cid'].map((userId) => join(userId, roomId, 3)));
          const talk = keepSaying('ada', roomId);
          await breakConnections(breaks, () => talk.sent);
          const sent = await talk.stop();
          for (const listener of listeners) {
            await listener.until(() => listener.after >= sent + 3);
            assert.deepEqual(listener.versions(), range(4, sent + 3));
            listener.close();
          }
        }),
        { numRuns: 2 },
      );
    }).timeout(60_000);

    if (canSpeak) {
      it('RT-122 an acknowledged message is there exactly once, whatever was lost on the way and repeated', async () => {
        const breaking = arbitraryBreaks('cut', 'mid answers', 'mid requests', 'lose answers', 'lose requests');
        await fc.assert(
          fc.asyncProperty(breaking, async (breaks) => {
            const roomId = await world.room('ada', 'bob');
            const [ada, bob] = [await join('ada', roomId, 2), await join('bob', roomId, 2)];
            const versionById = new Map<string, number>();
            let isSaying = true;
            const speaking = [ada, ada, bob].map(async (speaker, lane) => {
              for (let index = 0; isSaying; index++) {
                const commandId = `${lane}-${index}`;
                versionById.set(commandId, await speaker.say(`message ${commandId}`, commandId));
              }
            });
            await breakConnections(breaks, () => versionById.size);
            isSaying = false;
            await Promise.all(speaking);
            for (const listener of [ada, bob]) {
              await listener.until(() => listener.after >= versionById.size + 2);
              const said = listener.heard.filter(({ event }) => event === SERVER_FRAMES.receiveMessage);
              assert.deepEqual(
                said.map(({ data }) => [data.commandId, data.version]),
                [...versionById].sort(([, one], [, other]) => one - other),
              );
              listener.close();
            }
          }),
          { numRuns: 2 },
        );
      }).timeout(60_000);

      it('RT-123 what one connection says is acknowledged and delivered in the order in which it was said', async () => {
        const roomId = await world.room('ada', 'bob');
        const [ada, bob] = [await join('ada', roomId, 2), await join('bob', roomId, 2)];
        const versions: number[] = [];
        const texts = range(1, 500).map((index) => `m${index}`);
        await Promise.all(texts.map(async (text) => versions.push(await ada.say(text, text))));
        assert.deepEqual(versions, range(3, 502));
        for (const listener of [ada, bob]) {
          await listener.until(() => listener.after === 502);
          const said = listener.heard.filter(({ event }) => event === SERVER_FRAMES.receiveMessage);
          assert.deepEqual(
            said.map(({ data }) => data.message),
            texts,
          );
        }
      });
    }

    it('RT-124 of a user who leaves the room hears that last, nothing later, and is refused from then on', async () => {
      const roomId = await world.room('ada', 'bob');
      const [ada, bob] = [await join('ada', roomId, 2), await join('bob', roomId, 2)];
      const talk = keepSaying('ada', roomId);
      await bob.until(() => bob.versions().length >= 5);
      const left = await world.act('bob', { type: 'LeaveRoom', roomId });
      await ada.until(() => ada.after >= left.version + 20);
      await bob.until(() => bob.after === left.version);
      assert.equal(bob.heard.at(-1)?.event, SERVER_FRAMES.memberLeft);
      proxy.cut();
      await bob.until(() => bob.refused !== null);
      assert.equal(bob.refused, 'not_a_member');
      assert.deepEqual(bob.versions(), range(3, left.version));
      const sent = await talk.stop();
      await ada.until(() => ada.after >= sent + 3);
      assert.deepEqual(ada.versions(), range(3, sent + 3));
    });

    it('RT-125 that does not read is given up, nobody else feels it, and nothing is lost when it comes back', async () => {
      const roomId = await world.room('ada', 'bob');
      const slow = await join('bob', roomId, 2, otherProxy);
      otherProxy.stopReading();
      const quick = await join('ada', roomId, 2);
      let sent = 0;
      while (!(await node.metrics.metrics()).includes('closes_total{name="slowConsumer"} 1')) {
        await Promise.all(range(1, 100).map(() => world.say('ada', roomId, 'é'.repeat(2_000))));
        sent += 100;
        await quick.until(() => quick.after === sent + 2);
        assert.ok(sent < 20_000, 'a client that does not read is given up at last');
      }
      assert.equal(quick.joins, 1);
      otherProxy.cut();
      await world.say('ada', roomId, 'the last one');
      for (const client of [slow, quick]) {
        await client.until(() => client.after === sent + 3);
        assert.deepEqual(client.versions(), range(3, sent + 3));
      }
    }).timeout(60_000);
  });
}
