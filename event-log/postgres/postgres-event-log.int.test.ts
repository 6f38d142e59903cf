// The contract on PostgreSQL, and what only this adapter promises.
import assert, { AssertionError } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'mocha';
import pg from 'pg';
import { createLogger } from '../../platform/logger.ts';
import { replayPostgres } from '../../tests/support/replay-postgres.ts';
import { stackEnv } from '../../tests/support/stack-env.ts';
import { openTcpProxy, type TcpProxy } from '../../tests/support/tcp-proxy.ts';
import { mustAppend, readAll, record, textsOf, until } from '../contract/log-probe.ts';
import { type EventLog, LogUnavailableError } from '../event-log.ts';
import { describeEventLogContract, type LogHarness } from '../event-log-contract.ts';
import { openPostgresEventLog, type PostgresEventLogOptions } from './postgres-event-log.ts';

const logger = createLogger('test', 'silent');

describeEventLogContract('PostgreSQL', openHarness);

describe('event log on PostgreSQL alone', () => {
  const databaseUrl = () => stackEnv.databaseUrl();
  let schema = '';
  let log: EventLog;
  const open = (partitions = 2) => openPostgresEventLog({ databaseUrl: databaseUrl(), schema, partitions, logger });

  beforeEach(async () => {
    schema = newSchema();
    log = await open();
  });
  afterEach(async () => {
    await log.close();
    await dropSchema(databaseUrl(), schema);
  });

  it('keeps the number of partitions it was made with', async () => {
    const other = await open(7);
    assert.equal(other.partitions, 2);
    await other.close();
  });

  it('is created once when several processes open it at the same moment', async () => {
    const fresh = newSchema();
    const options = { databaseUrl: databaseUrl(), schema: fresh, partitions: 3, logger };
    const logs = await Promise.all(Array.from({ length: 5 }, () => openPostgresEventLog(options)));
    assert.deepEqual(
      logs.map(({ partitions }) => partitions),
      [3, 3, 3, 3, 3],
    );
    await Promise.all(logs.map((one) => one.close()));
    await dropSchema(databaseUrl(), fresh);
  });

  it('says so when there is no server', async () => {
    const nowhere = 'postgres://nobody@127.0.0.1:1/none';
    await assert.rejects(openPostgresEventLog({ databaseUrl: nowhere, partitions: 1, logger }), LogUnavailableError);
  });

  it('an append that waits too long for the partition is refused for certain, not left unknown', async () => {
    await withClient(databaseUrl(), async (client) => {
      await client.query(`begin; update ${schema}.partitions set next_offset = next_offset where partition = 0`);
      await assert.rejects(log.append(0, 0, [record('no')]), LogUnavailableError);
      await mustAppend(log, 1, 0, ['beside']);
      await client.query('rollback');
    });
    await mustAppend(log, 0, 0, ['yes']);
  });

  it('asserts that one append of a partition is in flight at most', async () => {
    const first = log.append(0, 0, [record('one')]);
    await assert.rejects(log.append(0, 0, [record('two')]), AssertionError);
    assert.equal((await first).kind, 'appended');
  });

  it('reads in batches bounded by rows and by bytes, a larger record alone', async () => {
    const small = await openPostgresEventLog({
      databaseUrl: databaseUrl(),
      schema,
      partitions: 2,
      logger,
      batchRecords: 4,
      batchBytes: 100,
    });
    const texts = ['a', 'b', 'c', 'd', 'e', 'x'.repeat(60), 'x'.repeat(60), 'x'.repeat(500), 'f'];
    await mustAppend(log, 0, 0, texts);
    const batches: string[][] = [];
    for await (const { records } of small.read(0, 0, texts.length))
      batches.push(textsOf(records).map((text) => `${text[0]}${text.length}`));
    assert.deepEqual(batches, [['a1', 'b1', 'c1', 'd1'], ['e1', 'x60', 'x60'], ['x500'], ['f1']]);
    await small.close();
  });

  it('notices a record deleted from the middle', async () => {
    await mustAppend(log, 0, 0, ['one', 'two', 'three']);
    await withClient(databaseUrl(), (client) => client.query(`delete from ${schema}.records where "offset" = 1`));
    await assert.rejects(readAll(log, 0, 0), /lost offset 1/);
  });

  it('followers find what came without a notification, and after the server ended all connections', async () => {
    const texts: string[] = [];
    const follower = log.follow({
      from: new Map([[0, 0]]),
      handle: ({ records }) => {
        texts.push(...textsOf(records));
      },
    });
    const running = follower.run();
    await mustAppend(log, 0, 0, ['own']);
    await until('the own append', () => texts.length === 1);
    await withClient(databaseUrl(), async (client) => {
      const insertUnannounced = (offset: number) =>
        client.query(
          `with moved as (update ${schema}.partitions set next_offset = next_offset + 1 where partition = 0)
           insert into ${schema}.records values (0, $1, 'room-probe', 'silent', now())`,
          [offset],
        );
      await insertUnannounced(1);
      await until('the unannounced record', () => texts.length === 2);
      await client.query('select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', [
        `roomlog event log ${schema}`,
      ]);
      await insertUnannounced(2);
      await until('the record after the connection ended', () => texts.length === 3);
    });
    await follower.stop();
    await running;
    assert.deepEqual(texts, ['own', 'silent', 'silent']);
  });
});

async function openHarness(partitions: number): Promise<LogHarness> {
  const databaseUrl = stackEnv.databaseUrl();
  const schema = newSchema();
  const logs: EventLog[] = [];
  const proxies: TcpProxy[] = [];
  const open = async (changes: Partial<PostgresEventLogOptions>) => {
    const log = await openPostgresEventLog({ databaseUrl, schema, partitions, logger, ...changes });
    logs.push(log);
    return log;
  };
  return {
    log: await open({}),
    openAnother: () => open({}),
    openThroughProxy: async () => {
      const url = new URL(databaseUrl);
      const proxy = await openTcpProxy({ host: url.hostname, port: Number(url.port || 5432) });
      proxies.push(proxy);
      url.hostname = proxy.host;
      url.port = String(proxy.port);
      const log = await open({ databaseUrl: url.href, appendTimeoutMs: 500, requestTimeoutMs: 1_000 });
      return { log, faults: { ...proxy, replay: () => replayPostgres(databaseUrl, proxy.recordings()) } };
    },
    deleteBelow: (partition, offset) =>
      withClient(databaseUrl, async (client) => {
        await client.query(`delete from ${schema}.records where partition = $1 and "offset" < $2`, [partition, offset]);
      }),
    close: async () => {
      await Promise.all(logs.map((log) => log.close()));
      await Promise.all(proxies.map((proxy) => proxy.close()));
      await dropSchema(databaseUrl, schema);
    },
  };
}

function newSchema(): string {
  return `log_test_${randomBytes(6).toString('hex')}`;
}

function dropSchema(databaseUrl: string, schema: string): Promise<void> {
  return withClient(databaseUrl, async (client) => {
    await client.query(`drop schema ${schema} cascade`);
  });
}

async function withClient<T>(databaseUrl: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
