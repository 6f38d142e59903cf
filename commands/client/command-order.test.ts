import assert from 'node:assert/strict';
import type { Middleware } from 'koa';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { EventLog } from '../../event-log/event-log.ts';
import { openMemoryEventLog } from '../../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../../event-log/memory/memory-store.ts';
import { createLogger } from '../../platform/logger.ts';
import type { Command } from '../../schemas/commands.ts';
import { type CommandsServer, INTERNAL_SECRET, openCommandsServer } from '../../tests/support/commands-server.ts';
import { ADA, command } from '../../tests/support/given-when-then.ts';
import { assertRejected, eventsOf, mustAccept } from '../../tests/support/write-side.ts';
import { CommandsRequest } from './command-wire.ts';
import { HttpCommandClient } from './http-command-client.ts';

/** Two rooms whose commands do not wait for each other. */
const [slow, other] = ['lobby', 'garden'] as const;
const create = (roomId: string): Command =>
  command(ADA, { type: 'CreateRoom', roomId, spaceId: 's', name: 'n', description: '', isPrivate: false });
const send = (roomId: string, text: string): Command => {
  const messageId = '0199c0de-0000-7000-8000-000000000001';
  return command(ADA, { type: 'SendMessage', roomId, messageId, text, replyTo: null, originalTime: null });
};

describe('commands of one room from another process', () => {
  let log: EventLog;
  let gate: Gate;
  let server: CommandsServer;
  let client: HttpCommandClient;

  beforeEach(async () => {
    log = openMemoryEventLog(new MemoryStore(8)).log;
    gate = openGate('held up');
    server = await openCommandsServer(log, { before: gate.pass });
    client = new HttpCommandClient({
      urls: [server.url],
      secret: INTERNAL_SECRET,
      partitions: 8,
      logger: createLogger('test', 'silent'),
    });
    for (const roomId of [slow, other]) mustAccept(await client.execute(create(roomId)));
  });

  afterEach(async () => {
    client.close();
    gate.release();
    await server.close();
    await log.close();
  });

  const textsIn = async (room: string): Promise<string[]> =>
    (await eventsOf(log)).flatMap(({ event }) =>
      event.type === 'MessageSent' && event.metadata.stream === `room-${room}` ? [event.text] : [],
    );

  it('CMD-76 are done in the order of the calls, though a request is held up on its way; other rooms go on', async () => {
    const answers = [client.execute(send(slow, 'held up'))];
    await gate.reached;
    for (const text of ['second', 'third', 'fourth']) {
      answers.push(client.execute(send(slow, text)));
      mustAccept(await client.execute(send(other, `meanwhile ${text}`)));
    }
    assert.equal((await textsIn(other)).length, 3);
    gate.release();
    for (const answer of await Promise.all(answers)) mustAccept(answer);
    assert.deepEqual(await textsIn(slow), ['held up', 'second', 'third', 'fourth']);
    assert.deepEqual(gate.textsOfRequests.at(-1), ['second', 'third', 'fourth']);
  });

  it('CMD-77 wait for a request without an answer until its commands are told so, and go on then', async () => {
    const began = Date.now();
    const lost = client.execute(send(slow, 'held up'));
    await gate.reached;
    // Other commands pass the time, so that what waits has some of its own left.
    while (Date.now() - began < 500) mustAccept(await client.execute(send(other, 'meanwhile')));
    const waiting = [client.execute(send(slow, 'second')), client.execute(send(slow, 'third'))];
    assertRejected(await lost, 'log_unavailable');
    for (const answer of await Promise.all(waiting)) mustAccept(answer);
    assert.deepEqual(await textsIn(slow), ['second', 'third']);
  });

  it('CMD-78 are done in the order in which they stand in a request', async () => {
    const texts = Array.from({ length: 300 }, (_, index) => `message ${index}`);
    const answers = await Promise.all(texts.map((text) => client.execute(send(slow, text))));
    const versions = answers.map((answer) => mustAccept(answer).version);
    assert.deepEqual(
      versions,
      texts.map((_, index) => index + 2),
    );
    assert.deepEqual(await textsIn(slow), texts);
    assert.ok(gate.textsOfRequests.some((request) => request.length > 10));
  });
});

type Gate = {
  pass: Middleware;
  /** The texts of the messages of each request that came, in the order they came. */
  textsOfRequests: string[][];
  /** Resolves when a request stands at the gate. */
  reached: Promise<void>;
  release(): void;
};

/** Lets every request pass but those with a message of that text, which wait for release(). */
function openGate(heldText: string): Gate {
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const textsOfRequests: string[][] = [];
  return {
    textsOfRequests,
    reached: reached.promise,
    release: released.resolve,
    pass: async (context, next) => {
      const { commands } = CommandsRequest.parse(context.request.body);
      const texts = commands.flatMap(({ body }) => (body.type === 'SendMessage' ? [body.text] : []));
      textsOfRequests.push(texts);
      if (texts.includes(heldText)) {
        reached.resolve();
        await released.promise;
      }
      await next();
    },
  };
}
