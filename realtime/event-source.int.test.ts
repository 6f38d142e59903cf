// An unmodified EventSource against the node: it comes back by itself, with what it has, and the service does the rest.
import assert from 'node:assert/strict';
import { EventSource } from 'eventsource';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { SERVER_FRAMES } from '../schemas/wire.ts';
import { openRealtimeWorld, type RealtimeNode, type RealtimeWorld } from '../tests/support/realtime-world.ts';
import { openTcpProxy, type TcpProxy } from '../tests/support/tcp-proxy.ts';

type Heard = { version: number; id: string };

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at);

describe('an EventSource', () => {
  let world: RealtimeWorld;
  let node: RealtimeNode;
  let proxy: TcpProxy;
  const sources: EventSource[] = [];

  beforeEach(async () => {
    world = await openRealtimeWorld();
    node = await world.openNode();
    proxy = await openTcpProxy({ host: '127.0.0.1', port: Number(new URL(node.httpUrl).port) });
  });

  afterEach(async () => {
    for (const source of sources.splice(0)) source.close();
    await proxy.close();
    await world.close();
  });

  /** Connects with a fresh token each time, as docs/sse.md shows. `statuses`: what every request was answered with. */
  function open(
    roomId: string,
    userId: string,
    query = '',
  ): { source: EventSource; heard: Heard[]; statuses: number[] } {
    const [heard, statuses]: [Heard[], number[]] = [[], []];
    const source = new EventSource(`http://${proxy.host}:${proxy.port}/api/v1/chatroom/${roomId}/events${query}`, {
      fetch: async (url, init) => {
        const headers = { ...init.headers, Authorization: `Bearer ${world.token(userId)}` };
        const response = await fetch(url, { ...init, headers });
        statuses.push(response.status);
        return response;
      },
    });
    sources.push(source);
    for (const name of [SERVER_FRAMES.receiveMessage, SERVER_FRAMES.memberLeft]) {
      source.addEventListener(name, ({ data, lastEventId }) => {
        heard.push({ ...(JSON.parse(String(data)) as { version: number }), id: lastEventId });
      });
    }
    return { source, heard, statuses };
  }

  async function happening(source: EventSource, event: string): Promise<void> {
    await new Promise((resolve) => source.addEventListener(event, resolve, { once: true }));
  }

  it('RT-120 that is cut in the middle of events again and again gets every version exactly once', async () => {
    const roomId = await world.room('ada', 'bob');
    const { source, heard, statuses } = open(roomId, 'bob', '?after=2');
    await happening(source, 'open');
    let [sent, isSaying] = [0, true];
    const saying = (async () => {
      while (isSaying) {
        await world.say('ada', roomId, `${'é'.repeat(300)} ${sent}`);
        sent += 1;
      }
    })();
    for (let round = 0; round < 5; round++) {
      const before = heard.length;
      while (heard.length < before + 5) await happening(source, SERVER_FRAMES.receiveMessage);
      const back = happening(source, 'open');
      proxy.cutMidStream('answers');
      await back;
    }
    isSaying = false;
    await saying;
    while ((heard.at(-1)?.version ?? 0) < sent + 2) await happening(source, SERVER_FRAMES.receiveMessage);
    assert.deepEqual(
      heard.map(({ version }) => version),
      range(3, sent + 2),
    );
    assert.ok(heard.every(({ version, id }) => id === String(version)));
    assert.deepEqual(statuses, Array(6).fill(200));
  }).timeout(60_000);

  it('RT-120 stops by itself once its user is no member any more', async () => {
    const roomId = await world.room('ada', 'bob');
    const { source, heard, statuses } = open(roomId, 'bob');
    await happening(source, SERVER_FRAMES.recentMessages);
    await world.act('bob', { type: 'LeaveRoom', roomId });
    while (source.readyState !== source.CLOSED) await happening(source, 'error');
    assert.deepEqual(heard, [{ ...heard[0], version: 3, id: '3' }]);
    assert.deepEqual(statuses, [200, 403]);
  });
});
