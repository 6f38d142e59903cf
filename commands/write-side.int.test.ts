// The write side over the real logs, with the time-outs it has in production.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'mocha';
import pg from 'pg';
import { until } from '../event-log/contract/log-probe.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { ConnectionFaults } from '../event-log/event-log-contract.ts';
import { openPostgresEventLog } from '../event-log/postgres/postgres-event-log.ts';
import { createLogger } from '../platform/logger.ts';
import { type CommandsServer, openCommandsServer, type Reply } from '../tests/support/commands-server.ts';
import { openKafkaHarness } from '../tests/support/kafka-harness.ts';
import { stackEnv } from '../tests/support/stack-env.ts';
import { openTcpProxy } from '../tests/support/tcp-proxy.ts';
import { eventsOf } from '../tests/support/write-side.ts';

/** A fresh log, a handle on it whose connections the proxy can break, and how to get rid of it. */
type RealLog = {
  log: EventLog;
  far: EventLog;
  proxy: Omit<ConnectionFaults, 'replay'>;
  openAnother: () => Promise<EventLog>;
  close: () => Promise<void>;
};

const PARTITIONS = 2;

describeWriteSide('PostgreSQL', openOnPostgres);
describeWriteSide('Kafka', openOnKafka);

function describeWriteSide(name: string, open: () => Promise<RealLog>): void {
  describe(`the write side on ${name}`, () => {
    let real: RealLog;
    let server: CommandsServer;

    beforeEach(async () => {
      real = await open();
      server = await openCommandsServer(real.far);
    });

    afterEach(async () => {
      await server.close();
      await real.close();
    });

    const texts = async () =>
      (await eventsOf(real.log)).flatMap(({ event }) => (event.type === 'MessageSent' ? [event.text] : []));

    async function createRoom(): Promise<string> {
      const reply = await server.post('/api/v1/chatroom/create', { roomid: 'plaza', name: 'Lobby' });
      assert.equal(reply.status, 201, reply.text);
      return String((reply.body.chatroom as { id: string }).id);
    }

    const send = (chatroomId: string, message: string, commandId = message): Promise<Reply> =>
      server.post('/api/v1/messages', { chatroomId, message, commandId });

    async function sendUntilAccepted(chatroomId: string, message: string): Promise<Reply> {
      let reply = await send(chatroomId, message);
      await until(`${message} is accepted`, async () => {
        if (reply.status !== 201) reply = await send(chatroomId, message);
        return reply.status === 201;
      });
      return reply;
    }

    it('CMD-80 answers a repeated command like the first time, also after a restart', async () => {
      const chatroomId = await createRoom();
      const first = await send(chatroomId, 'once');
      assert.equal(first.status, 201, first.text);
      await send(chatroomId, 'another');
      await server.close();
      server = await openCommandsServer(real.far);
      const again = await send(chatroomId, 'once');
      assert.deepEqual([again.status, again.body], [201, first.body]);
      assert.deepEqual(await texts(), ['once', 'another']);
    });

    it('CMD-81 while the log is away: 503 log_unavailable with Retry-After within 2 s, and nothing else', async () => {
      const chatroomId = await createRoom();
      await real.proxy.refuse();
      for (const message of ['first', 'second', 'third']) {
        const began = Date.now();
        const reply = await send(chatroomId, message);
        const took = Date.now() - began;
        assert.deepEqual([reply.status, reply.body.code], [503, 'log_unavailable'], reply.text);
        assert.match(reply.headers.get('retry-after') ?? '', /^\d+$/);
        assert.ok(took < 2_000, `took ${took} ms`);
      }
      assert.equal((await server.get('/ready')).status, 503);
      assert.deepEqual(await texts(), []);
      await real.proxy.accept();
      await sendUntilAccepted(chatroomId, 'second');
      await sendUntilAccepted(chatroomId, 'third');
      assert.deepEqual(await texts(), ['second', 'third']);
      assert.equal((await server.get('/ready')).status, 200);
    });

    it('CMD-82 an append whose answer got lost is settled: told within 2 s, done once', async () => {
      const chatroomId = await createRoom();
      await send(chatroomId, 'before');
      real.proxy.swallowAnswers();
      const began = Date.now();
      const reply = await send(chatroomId, 'landed');
      assert.ok(Date.now() - began < 2_000, `took ${Date.now() - began} ms`);
      assert.ok(reply.status === 201 || reply.body.code === 'log_unavailable', reply.text);
      const accepted = await sendUntilAccepted(chatroomId, 'landed');
      const found = (await eventsOf(real.log)).at(-1);
      assert.equal(accepted.body.position, `${found?.partition}-${found?.offset}`);
      assert.deepEqual(await texts(), ['before', 'landed']);
    });

    it('CMD-83 connections that break under load: every message that was accepted in the end is there once', async () => {
      const chatroomId = await createRoom();
      const wanted = Array.from({ length: 200 }, (_, index) => `message ${index}`);
      const sending = Promise.all(wanted.map((text) => sendUntilAccepted(chatroomId, text)));
      for (const fault of ['cut', 'swallowAnswers', 'cut', 'swallowRequests', 'cut'] as const) {
        await new Promise((resolve) => setImmediate(resolve));
        real.proxy[fault]();
      }
      await sending;
      assert.deepEqual((await texts()).sort(), wanted.sort());
    });

    it('CMD-84 two processes that own the same partitions: conflicts, and every message once', async () => {
      const other = await openCommandsServer(await real.openAnother());
      const chatroomId = await createRoom();
      const wanted = Array.from({ length: 300 }, (_, index) => `message ${index}`);
      const replies = await Promise.all(
        wanted.map((message, index) =>
          (index % 2 === 0 ? server : other).post('/api/v1/messages', { chatroomId, message }),
        ),
      );
      assert.deepEqual([...new Set(replies.map(({ status }) => status))], [201]);
      const found = await eventsOf(real.log);
      assert.deepEqual(
        found.map(({ event }) => event.metadata.version),
        found.map((_, index) => index + 1),
      );
      assert.deepEqual((await texts()).sort(), wanted.sort());
      await other.close();
    });
  });
}

async function openOnPostgres(): Promise<RealLog> {
  const databaseUrl = stackEnv.databaseUrl();
  const schema = `log_test_${randomBytes(6).toString('hex')}`;
  const logger = createLogger('test', 'silent');
  const logs: EventLog[] = [];
  const open = async (url: string) => {
    const log = await openPostgresEventLog({ databaseUrl: url, schema, partitions: PARTITIONS, logger });
    logs.push(log);
    return log;
  };
  const url = new URL(databaseUrl);
  const proxy = await openTcpProxy({ host: url.hostname, port: Number(url.port || 5432) });
  url.hostname = proxy.host;
  url.port = String(proxy.port);
  return {
    log: await open(databaseUrl),
    far: await open(url.href),
    proxy,
    openAnother: () => open(databaseUrl),
    close: async () => {
      await Promise.all(logs.map((log) => log.close()));
      await proxy.close();
      const client = new pg.Client(databaseUrl);
      await client.connect();
      await client.query(`drop schema ${schema} cascade`);
      await client.end();
    },
  };
}

async function openOnKafka(): Promise<RealLog> {
  const harness = await openKafkaHarness(PARTITIONS);
  const { log: far, faults: proxy } = await harness.openThroughProxy();
  return { log: harness.log, far, proxy, openAnother: () => harness.openAnother(), close: () => harness.close() };
}
