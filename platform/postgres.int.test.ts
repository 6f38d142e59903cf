import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import pino from 'pino';
import { stackEnv } from '../tests/support/stack-env.ts';
import { openTcpProxy } from '../tests/support/tcp-proxy.ts';
import { DatabaseUnavailableError, isDataError, toDatabaseFault } from './database-faults.ts';
import { type Database, openDatabase } from './postgres.ts';

const silent = pino({ level: 'silent' });

/** What the statement fails with, as whoever retries sees it. */
async function faultOf(db: Database, sql: string): Promise<unknown> {
  try {
    await db.raw(sql);
  } catch (error) {
    return toDatabaseFault(error);
  }
  return assert.fail(`${sql} did not fail`);
}

describe('connections to PostgreSQL', () => {
  it('end a statement that takes too long, and say that trying again may help', async () => {
    const db = openDatabase(
      { url: stackEnv.databaseUrl(), poolMax: 1, applicationName: 'test', statementTimeoutMs: 50 },
      silent,
    );
    try {
      assert.ok((await faultOf(db, 'select pg_sleep(5)')) instanceof DatabaseUnavailableError);
    } finally {
      await db.destroy();
    }
  });

  it('do not wait for ever for a server that is frozen', async () => {
    const url = new URL(stackEnv.databaseUrl());
    const proxy = await openTcpProxy({ host: url.hostname, port: Number(url.port) });
    url.host = `127.0.0.1:${proxy.port}`;
    const db = openDatabase({ url: url.href, poolMax: 1, applicationName: 'test', statementTimeoutMs: 50 }, silent);
    try {
      await db.raw('select 1');
      proxy.swallowRequests();
      assert.ok((await faultOf(db, 'select 1')) instanceof DatabaseUnavailableError);
    } finally {
      proxy.cut();
      await db.destroy();
      await proxy.close();
    }
  });

  it('tell a server that is away from values it refuses, and both from bugs', async () => {
    const db = openDatabase({ url: stackEnv.databaseUrl(), poolMax: 1, applicationName: 'test' }, silent);
    const away = openDatabase({ url: 'postgres://x:y@127.0.0.1:1/z', poolMax: 1, applicationName: 'test' }, silent);
    try {
      assert.ok((await faultOf(away, 'select 1')) instanceof DatabaseUnavailableError);
      assert.equal(isDataError(await faultOf(db, "select 'x'::integer")), true);
      const bug = await faultOf(db, 'select from where');
      assert.equal(bug instanceof DatabaseUnavailableError || isDataError(bug), false);
      const typeError = new TypeError('a bug of ours');
      assert.equal(toDatabaseFault(typeError), typeError);
    } finally {
      await db.destroy();
      await away.destroy();
    }
  });
});
