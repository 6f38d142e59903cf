// The contract on PostgreSQL, and what only this store promises.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'mocha';
import pg from 'pg';
import { createLogger } from '../../platform/logger.ts';
import { stackEnv } from '../../tests/support/stack-env.ts';
import { openTcpProxy, type TcpProxy } from '../../tests/support/tcp-proxy.ts';
import { LogUnavailableError } from '../event-log.ts';
import type { SnapshotStore } from '../snapshot-store.ts';
import { describeSnapshotStoreContract, type SnapshotHarness } from '../snapshot-store-contract.ts';
import { openPostgresEventLog } from './postgres-event-log.ts';
import { openPostgresSnapshotStore } from './postgres-snapshot-store.ts';

const logger = createLogger('test', 'silent');

describeSnapshotStoreContract('PostgreSQL', openHarness);

async function openHarness(): Promise<SnapshotHarness> {
  const databaseUrl = stackEnv.databaseUrl();
  const schema = newSchema();
  const stores: SnapshotStore[] = [];
  const proxies: TcpProxy[] = [];
  const open = async (url = databaseUrl, requestTimeoutMs = 3_000) => {
    const store = await openPostgresSnapshotStore({ databaseUrl: url, schema, logger, requestTimeoutMs });
    stores.push(store);
    return store;
  };
  return {
    store: await open(),
    openAnother: () => open(),
    openThroughProxy: async () => {
      const url = new URL(databaseUrl);
      const proxy = await openTcpProxy({ host: url.hostname, port: Number(url.port || 5432) });
      proxies.push(proxy);
      url.hostname = proxy.host;
      url.port = String(proxy.port);
      return { store: await open(url.href, 500), faults: proxy };
    },
    close: async () => {
      await Promise.all([...stores, ...proxies].map((one) => one.close()));
      await dropSchema(schema);
    },
  };
}

describe('the table of snapshots', () => {
  it('is made once when several processes open log and store at the same moment', async () => {
    const databaseUrl = stackEnv.databaseUrl();
    const schema = newSchema();
    const opening = Array.from({ length: 3 }, () => [
      openPostgresEventLog({ databaseUrl, schema, partitions: 2, logger }),
      openPostgresSnapshotStore({ databaseUrl, schema, logger }),
    ]);
    const opened = await Promise.all(opening.flat());
    await Promise.all(opened.map((one) => one.close()));
    await dropSchema(schema);
  });

  it('says so when there is no server', async () => {
    const nowhere = 'postgres://nobody@127.0.0.1:1/none';
    await assert.rejects(openPostgresSnapshotStore({ databaseUrl: nowhere, logger }), LogUnavailableError);
  });
});

function newSchema(): string {
  return `log_test_${randomBytes(6).toString('hex')}`;
}

async function dropSchema(schema: string): Promise<void> {
  const client = new pg.Client(stackEnv.databaseUrl());
  await client.connect();
  await client.query(`drop schema ${schema} cascade`);
  await client.end();
}
