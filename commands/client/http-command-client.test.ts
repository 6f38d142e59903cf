import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { EventLog } from '../../event-log/event-log.ts';
import { openMemoryEventLog } from '../../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../../event-log/memory/memory-store.ts';
import { createLogger } from '../../platform/logger.ts';
import { serviceToken } from '../../platform/service-token.ts';
import type { Command } from '../../schemas/commands.ts';
import { LIMITS } from '../../schemas/limits.ts';
import {
  ask,
  type CommandsServer,
  INTERNAL_SECRET,
  openCommandsServer,
  tokenOf,
} from '../../tests/support/commands-server.ts';
import { ADA, BOB, command } from '../../tests/support/given-when-then.ts';
import { openTcpProxy, type TcpProxy } from '../../tests/support/tcp-proxy.ts';
import { assertRejected, eventsOf, mustAccept } from '../../tests/support/write-side.ts';
import { INTERNAL_COMMANDS_PATH, INTERNAL_COMMANDS_PURPOSE } from './command-wire.ts';
import { HttpCommandClient } from './http-command-client.ts';

const logger = createLogger('test', 'silent');
const roomId = 'lobby';
const create = (): Command =>
  command(ADA, { type: 'CreateRoom', roomId, spaceId: 's', name: 'n', description: '', isPrivate: false });
const send = (text: string, by = ADA): Command => {
  const messageId = '0199c0de-0000-7000-8000-000000000001';
  return command(by, { type: 'SendMessage', roomId, messageId, text, replyTo: null, originalTime: null });
};

describe('commands from another process', () => {
  let log: EventLog;
  let server: CommandsServer;
  let proxy: TcpProxy;
  let client: HttpCommandClient;

  beforeEach(async () => {
    log = openMemoryEventLog(new MemoryStore(2)).log;
    server = await openCommandsServer(log);
    proxy = await openTcpProxy({ host: '127.0.0.1', port: Number(new URL(server.url).port) });
    client = new HttpCommandClient({
      urls: [`http://127.0.0.1:${proxy.port}`],
      secret: INTERNAL_SECRET,
      partitions: 2,
      logger,
    });
  });

  afterEach(async () => {
    client.close();
    await proxy.close();
    await server.close();
    await log.close();
  });

  it('CMD-70 get the same answers as in the process itself', async () => {
    const made = create();
    const accepted = mustAccept(await client.execute(made));
    assert.deepEqual(await server.commands.execute(made), accepted);
    assertRejected(await client.execute(send('no', BOB)), 'not_a_member');
    assertRejected(await client.execute(send('\ud800')), 'message_not_unicode');
    const wish = { ...send('hi'), isOperator: true, onBehalfOf: ADA };
    mustAccept(await client.execute(wish));
    const found = (await eventsOf(log)).at(-1);
    assert.deepEqual(found?.event.metadata.onBehalfOf, ADA);
  });

  it('CMD-71 leave together, and are answered each for itself', async () => {
    mustAccept(await client.execute(create()));
    const long = '😀'.repeat(LIMITS.messageCodePoints);
    const texts = Array.from({ length: 500 }, (_, index) => (index % 50 === 0 ? long : `message ${index}`));
    const answers = await Promise.all(texts.map((text) => client.execute(send(text))));
    assert.equal(new Set(answers.map((answer) => mustAccept(answer).version)).size, texts.length);
    const found = await eventsOf(log);
    for (const [index, answer] of answers.entries()) {
      const { event } = found.find(({ event: one }) => one.metadata.version === mustAccept(answer).version) ?? {};
      assert.ok(event?.type === 'MessageSent' && event.text === texts[index]);
    }
    assert.ok(proxy.connections() <= 8);
  });

  it('CMD-72 survive broken connections: repeated, and done once, in their order', async () => {
    mustAccept(await client.execute(create()));
    const answering = Promise.all(Array.from({ length: 50 }, (_, index) => client.execute(send(`${index}`))));
    proxy.swallowAnswers();
    proxy.cut();
    const versions = (await answering).map((answer) => mustAccept(answer).version);
    assert.deepEqual(
      versions,
      versions.map((_, index) => index + 2),
    );
    proxy.cut();
    mustAccept(await client.execute(send('after')));
    assert.equal((await eventsOf(log)).length, 52);
  });

  it('CMD-73 are told log_unavailable within 2 s where nobody answers, and work again afterwards', async () => {
    mustAccept(await client.execute(create()));
    await client.check();
    await proxy.refuse();
    const began = Date.now();
    assertRejected(await client.execute(send('lost')), 'log_unavailable');
    const took = Date.now() - began;
    assert.ok(took > 1_500 && took < 2_000, `took ${took} ms`);
    await assert.rejects(client.check());
    await proxy.accept();
    mustAccept(await client.execute(send('found')));
  });

  it('CMD-74 beyond the bound are refused with busy', async () => {
    await proxy.refuse();
    const many = Array.from({ length: LIMITS.commandsPerPartition + 10 }, () => client.execute(send('x')));
    assertRejected((await many.at(-1)) ?? { rejected: 'internal' }, 'busy');
    client.close();
    for (const answer of await Promise.all(many)) assert.ok('rejected' in answer);
    assertRejected(await client.execute(send('x')), 'unavailable');
  });

  it('CMD-75 need the service token: a user’s token does not do, nor another secret', async () => {
    const stranger = new HttpCommandClient({ urls: [server.url], secret: 'not the secret', partitions: 2, logger });
    assertRejected(await stranger.execute(create()), 'unavailable');
    stranger.close();
    const post = (headers: Record<string, string>, body = JSON.stringify({ commands: [create()] })) =>
      ask(`${server.url}${INTERNAL_COMMANDS_PATH}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
      });
    assert.equal((await post({})).body.code, 'token_missing');
    assert.equal((await post({ authorization: `Bearer ${tokenOf('operator')}` })).body.code, 'token_invalid');
    assert.deepEqual(await eventsOf(log), []);
    const authorization = `Bearer ${serviceToken(INTERNAL_SECRET, INTERNAL_COMMANDS_PURPOSE)}`;
    for (const body of ['{}', '{"commands":[]}', '{"commands":[{"body":{"type":"Burn"}}]}'])
      assert.equal((await post({ authorization }, body)).body.code, 'invalid_request');
  });
});
