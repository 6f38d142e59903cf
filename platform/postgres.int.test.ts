import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Knex } from 'knex';
import { describe, it } from 'mocha';
import type pg from 'pg';
import pino from 'pino';
import { stackEnv } from '../tests/support/stack-env.ts';
import { openTcpProxy } from '../tests/support/tcp-proxy.ts';
import { DatabaseUnavailableError, isDataError, toDatabaseFault } from './database-faults.ts';
import { type Database, type DatabaseOptions, openDatabase } from './postgres.ts';

const silent = pino({ level: 'silent' });

/** What the statement fails with, as whoever retries sees it. */
async function faultOf(db: Database, sql: string, bindings: readonly number[] = []): Promise<unknown> {
  try {
    await db.raw(sql, bindings);
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

  describe('whose transactions hold locks', () => {
    const lock = 'select pg_advisory_xact_lock(?)';

    /** The first connection has locked the key. */
    async function withLocked(
      locks: DatabaseOptions['locks'],
      run: (holder: Knex.Transaction, other: Database, key: number) => Promise<void>,
    ): Promise<void> {
      const key = randomInt(2 ** 31);
      const options = { url: stackEnv.databaseUrl(), poolMax: 2, applicationName: 'test', ...(locks && { locks }) };
      const db = openDatabase(options, silent);
      const holder = await db.transaction();
      try {
        await holder.raw(lock, [key]);
        await run(holder, db, key);
      } finally {
        // The server may have ended it already.
        await holder.rollback().catch(() => undefined);
        await db.destroy();
      }
    }

    it('do not wait for a lock for longer than they may, and say that trying again may help', async () => {
      await withLocked({ standStillMs: 60_000, waitMs: 50 }, async (_holder, other, key) => {
        assert.ok((await faultOf(other, lock, [key])) instanceof DatabaseUnavailableError);
      });
    });

    it('lose them when they stand still', async () => {
      await withLocked({ standStillMs: 200, waitMs: 10_000 }, async (holder, other, key) => {
        await other.raw(lock, [key]);
        assert.ok((await faultOf(holder, 'select 1')) instanceof DatabaseUnavailableError);
      });
    });

    it('lose them when they do not take what the server says', async () => {
      await withLocked({ standStillMs: 1_000, waitMs: 20_000 }, async (holder, other, key) => {
        // knex and pg keep the socket to themselves; what a process does that is frozen, only its socket can show.
        const { client } = holder as unknown as { client: { acquireConnection(): Promise<pg.Client> } };
        const connection = (await client.acquireConnection()) as unknown as { connection: { stream: Socket } };
        connection.connection.stream.pause();
        const answer = holder.raw(`select repeat('x', 100000) from generate_series(1, 1000)`);
        const outcome = assert.rejects(Promise.resolve(answer));
        await other.raw(lock, [key]);
        connection.connection.stream.resume();
        await outcome;
      });
    });
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
