// A role that is restarted loses nothing: what was acknowledged is there, and nobody sees anything twice.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'mocha';
import { CLIENT_FRAMES, type MessageView, SERVER_FRAMES } from '../../../schemas/wire.ts';
import { openSocket } from '../support/chat-socket.ts';
import { assertProblem } from '../support/rest.ts';
import { newUser, type RoleName } from '../support/way.ts';
import type { GetWay } from './acceptance.ts';

const RESTART_TIMEOUT_MS = 90_000;

export function describeRestarts(getWay: GetWay): void {
  describe('restarts', function () {
    this.timeout(RESTART_TIMEOUT_MS);

    for (const role of ['projections', 'commands'] as const) {
      it(`of ${role} in the middle of writing lose nothing that was acknowledged`, () => sendWhile(role, 'restart'));
      it(`of ${role} after a crash lose nothing that was acknowledged`, () => sendWhile(role, 'crash'));
    }

    it('of realtime end sockets in order, and who comes back misses nothing', async () => {
      const [alice, operator] = [newUser(getWay(), 'alice'), newUser(getWay(), 'operator', true)];
      const room = await getWay().rest.createRoom(alice.token);
      const before = await openSocket(getWay().socketUrl, alice.token);
      await before.ask(CLIENT_FRAMES.joinRoom, { roomId: room.id });
      await before.ask(CLIENT_FRAMES.sendMessage, { roomId: room.id, message: 'before' });
      const seen = await before.next<MessageView>(SERVER_FRAMES.receiveMessage);
      const closed = before.closed();
      await getWay().restart('realtime');
      assert.equal((await closed).code, 1001);
      await getWay().rest.join(operator.token, room.id);
      const missed = await getWay().rest.send(operator.token, room.id, 'missed');
      const after = await openSocket(getWay().socketUrl, alice.token);
      await after.ask(CLIENT_FRAMES.joinRoom, { roomId: room.id, after: seen.version });
      assert.equal((await after.next<MessageView>(SERVER_FRAMES.receiveMessage)).id, missed.id);
      assert.equal(after.all(SERVER_FRAMES.receiveMessage).length, 1);
      await after.close();
    });

    /** Sends all the time; what has no answer is sent again under its commandId until it has one, as a client would. */
    async function sendWhile(role: RoleName, how: 'restart' | 'crash'): Promise<void> {
      const operator = newUser(getWay(), 'operator', true);
      const room = await getWay().rest.createRoom(operator.token);
      const acknowledged: { id: string; version: number }[] = [];
      let position = room.position;
      const progress = { isOver: false };
      const sending = (async () => {
        for (let n = 0; !progress.isOver || n < 50; n++) {
          const body = { chatroomId: room.id, message: `message ${n}`, commandId: randomUUID() };
          const sent = await sendUntilAnswered(operator.token, body);
          acknowledged.push(sent.message);
          position = sent.position;
        }
      })();
      await getWay()[how](role);
      progress.isOver = true;
      await sending;
      await untilProjected(operator.token, room.id, position);
      const read: { id: string; version: number }[] = [];
      let cursor: string | undefined;
      do {
        const query = { limit: '100', ...(cursor === undefined ? {} : { before: cursor }) };
        const page = await getWay().rest.history(operator.token, room.id, query, position);
        read.unshift(...page.messages.map(({ id, version }) => ({ id, version })));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      assert.deepEqual(
        read,
        acknowledged.map(({ id, version }) => ({ id, version })),
      );
    }

    /** A projection that has crashed is taken for gone after OWNER_SESSION_MS only; until then readers are told to try again. */
    async function untilProjected(token: string, roomId: string, position: string): Promise<void> {
      const deadline = performance.now() + RESTART_TIMEOUT_MS / 2;
      const headers = { 'x-min-position': position };
      for (;;) {
        const path = `/api/v1/messages?chatroomId=${roomId}`;
        const answer = await getWay().rest.call<{ code?: unknown }>('GET', path, { token, headers });
        if (answer.status === 200) return;
        assertProblem(answer, 503, 'projection_behind');
        assert.ok(performance.now() < deadline, 'it is projected in time');
      }
    }

    type Sent = { message: MessageView; position: string };

    async function sendUntilAnswered(token: string, body: object): Promise<Sent> {
      const deadline = performance.now() + RESTART_TIMEOUT_MS / 2;
      for (;;) {
        const answer = await getWay()
          .rest.call<Sent>('POST', '/api/v1/messages', { token, body })
          // While the process is away there is no answer at all.
          .catch((error: unknown) => error);
        if (answer instanceof Error) assert.match(answer.message, /fetch failed|terminated/);
        else if ((answer as { status: number }).status === 201) return (answer as { body: Sent }).body;
        else assert.equal((answer as { status: number }).status, 503, JSON.stringify(answer));
        assert.ok(performance.now() < deadline, 'it is back in time');
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  });
}
