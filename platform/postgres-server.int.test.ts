import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, before, describe, it } from 'mocha';
import pg from 'pg';
import { DataInUseError } from './data-lock.ts';
import { ForeignDataError } from './postgres-cluster.ts';
import { type PostgresServer, startPostgresServer } from './postgres-server.ts';
import { identityOf, waitForExit } from './process-identity.ts';
import { ServerStartError } from './server-process.ts';

/* A process that starts the server, takes the lock, writes the server's pid and then only waits. */
const HOLDER = `
  import { startPostgresServer } from ${JSON.stringify(new URL('postgres-server.ts', import.meta.url).href)};
  const server = await startPostgresServer({
    dataDir: process.argv[1], lock: { applicationName: 'the first', onLost: () => undefined },
  });
  process.stdout.write(server.pid + '\\n');
  setInterval(() => undefined, 60_000);`;

const lock = { applicationName: 'test', onLost: () => undefined };

describe('a PostgreSQL server of our own', function () {
  this.timeout(60_000);
  let root = '';
  let dataDir = '';
  let servers: PostgresServer[] = [];
  let holders: ChildProcess[] = [];

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'roomlog-postgres-'));
    dataDir = join(root, 'data');
  });

  afterEach(async () => {
    for (const holder of holders) holder.kill('SIGKILL');
    await Promise.all(servers.map((server) => server.stop()));
    [servers, holders] = [[], []];
  });

  after(() => rm(root, { recursive: true, force: true }));

  async function start(options: Partial<Parameters<typeof startPostgresServer>[0]> = {}): Promise<PostgresServer> {
    const server = await startPostgresServer({ dataDir, ...options });
    servers.push(server);
    return server;
  }

  async function startHolder(): Promise<{ holder: ChildProcess; postgresPid: number }> {
    const holder = spawn(process.execPath, ['--input-type=module', '--eval', HOLDER, dataDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    holders.push(holder);
    for await (const line of createInterface(holder.stdout)) return { holder, postgresPid: Number(line) };
    throw new Error('the holder ended without starting a server');
  }

  it('creates a cluster on a fresh folder and keeps its data over a restart', async () => {
    const first = await start();
    assert.equal(first.adopted, false);
    await query(first, 'create table kept (text text)');
    await query(first, `insert into kept values ('öl')`);
    await first.stop();
    await assert.rejects(query(first, 'select 1'), /ECONNREFUSED/);

    const second = await start();
    assert.deepEqual(await query(second, 'select upper(text) as text from kept'), [{ text: 'ÖL' }]);
    assert.deepEqual(await query(second, `select current_setting('fsync') as fsync, current_database() as name`), [
      { fsync: 'on', name: 'roomlog' },
    ]);
    assert.equal((await stat(join(dataDir, 'password'))).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(root), ['data'], 'no draft is left beside the data');
  });

  it('asks for the password', async () => {
    const server = await start();
    const url = new URL(server.databaseUrl);
    url.password = 'guessed';
    await assert.rejects(query({ databaseUrl: url.href }, 'select 1'), /password authentication failed/);
  });

  it('adopts a server that is running already, whatever its port', async () => {
    const first = await start();
    const second = await start({ port: first.port + 1 });
    assert.equal(second.adopted, true);
    assert.equal(second.pid, first.pid);
    assert.equal(second.databaseUrl, first.databaseUrl);
  });

  it('refuses a second Roomlog on the same data, names the first, and leaves its server running', async () => {
    const { holder, postgresPid } = await startHolder();
    await assert.rejects(
      start({ lock }),
      (error) => error instanceof DataInUseError && error.message.includes(`the first pid=${holder.pid} `),
    );
    assert.notEqual(await identityOf(postgresPid), undefined);
  });

  it('starts again right after its owner was killed, with the data', async () => {
    const { holder, postgresPid } = await startHolder();
    const orphan = await identityOf(postgresPid);
    holder.kill('SIGKILL');
    const server = await start({ lock });
    assert.equal((await query(server, 'select 1 as one')).length, 1);
    assert(orphan !== undefined);
    if (process.platform === 'linux') assert(await waitForExit(orphan, 10_000), 'the server went with its owner');
  });

  it('recovers after the server was killed, with what was committed', async () => {
    const first = await start();
    await query(first, 'create table if not exists survivors (id int)');
    await query(first, 'insert into survivors values (1)');
    await first.kill();
    const second = await start();
    assert.equal(second.adopted, false);
    assert.equal((await query(second, 'select * from survivors')).length, 1);
  });

  it('tells when the connection that holds the lock is lost', async () => {
    const lost = Promise.withResolvers<Error>();
    const server = await start({ lock: { applicationName: 'test', onLost: lost.resolve } });
    await server.kill();
    assert.match((await lost.promise).message, /data lock was lost/);
  });

  it('is not kept from starting by a stale pid file whose process is another one today', async () => {
    const first = await start();
    const pidFile = join(dataDir, 'cluster', 'postmaster.pid');
    const stale = await readFile(pidFile, 'utf8');
    await first.stop();
    await writeFile(pidFile, stale.replace(/^\d+/, String(process.ppid)));
    assert.equal((await start()).adopted, false);
  });

  it('refuses a folder with something else in it', async () => {
    await assert.rejects(startPostgresServer({ dataDir: root }), ForeignDataError);
  });

  it('says with the words of the log why a server does not start', async () => {
    const first = await start();
    await assert.rejects(
      start({ dataDir: join(root, 'other'), port: first.port }),
      (error) => error instanceof ServerStartError && error.message.includes('could not bind'),
    );
  });

  async function query(server: { databaseUrl: string }, text: string): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: server.databaseUrl, connectionTimeoutMillis: 5_000 });
    try {
      await client.connect();
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  }
});
