import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import { after, before, describe, it } from 'mocha';
import pg from 'pg';
import { identityOf, isRunning } from '../../platform/process-identity.ts';
import { ServerStartError } from '../../platform/server-process.ts';
import { readIdentity, SERVER_NAMES } from './stack-server.ts';
import { type Stack, StackInUseError, type StackOptions, startStack } from './start-stack.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

describe('the stack', function () {
  this.timeout(120_000);
  let dataDir = '';
  let stack: Stack;

  before(async function () {
    // The first time on a machine it downloads.
    this.timeout(900_000);
    dataDir = await mkdtemp(join(tmpdir(), 'roomlog-stack-'));
    stack = await start();
  });

  after(async () => {
    await stack.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  function start(options: Partial<StackOptions> = {}): Promise<Stack> {
    return startStack({ dataDir, cacheDir: `${ROOT}.cache`, onProgress: () => undefined, ...options });
  }

  it('keeps topics, schema ids and rows over crashes of their servers and over a restart of all', async () => {
    await createTopic(stack);
    const id = await registerSchema(stack);
    await query(stack, 'create table kept as select 1 as one');

    await Promise.all(SERVER_NAMES.map((name) => stack.restart(name)));
    assert.deepEqual(await topics(stack), ['kept']);
    assert.equal(await registerSchema(stack), id);
    assert.deepEqual(await query(stack, 'select one from kept'), [{ one: 1 }]);

    const secret = stack.env.JWT_SECRET;
    await stack.stop();
    stack = await start();
    assert.deepEqual(await topics(stack), ['kept']);
    assert.equal(await registerSchema(stack), id);
    assert.deepEqual(await query(stack, 'select one from kept'), [{ one: 1 }]);
    assert.equal(stack.env.JWT_SECRET, secret);
  });

  it('refuses a second one on the same data', async () => {
    await assert.rejects(start(), StackInUseError);
    assert.equal((await query(stack, 'select 1 as one')).length, 1);
  });

  it('leaves nothing running when the start is given up', async () => {
    const other = join(dataDir, 'given-up');
    const giveUp = new AbortController();
    const reason = new Error('enough');
    const onProgress = (line: string): void => {
      if (line.includes('answers')) giveUp.abort(reason);
    };
    await assert.rejects(start({ dataDir: other, onProgress, signal: giveUp.signal }), reason);
    for (const name of SERVER_NAMES) assert.equal(await readIdentity(join(other, 'run', `${name}.json`)), undefined);
  });

  it('starts again on its data after it was killed, with nothing of the killed one left, and stops on Ctrl-C', async () => {
    const killed = await startMain([]);
    const orphans = await Promise.all(killed.pids.map(identityOf));
    killed.child.kill('SIGKILL');
    await once(killed.child, 'exit');

    const envFile = join(dataDir, 'main.env');
    const { child, pids, lines } = await startMain(['--write-env', envFile]);
    for (const orphan of orphans) assert(orphan === undefined || !(await isRunning(orphan)));
    const exported = lines.filter((line) => line.startsWith('export ')).map((line) => line.slice('export '.length));
    assert.deepEqual(
      exported.map((line) => line.split('=')[0]),
      ['KAFKA_BROKERS', 'SCHEMA_REGISTRY_URL', 'DATABASE_URL', 'REDIS_HOST', 'REDIS_PORT', 'JWT_SECRET'],
    );
    assert.deepEqual((await readFile(envFile, 'utf8')).trim().split('\n'), exported);

    child.kill('SIGINT');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    for (const pid of pids) assert.equal(await identityOf(pid), undefined);
  });

  it('says with the words of its log why a server does not start', async () => {
    const other = join(dataDir, 'main');
    const properties = join(other, 'kafka', 'log', 'meta.properties');
    await writeFile(properties, (await readFile(properties, 'utf8')).replace('node.id=1', 'node.id=2'));
    await assert.rejects(
      start({ dataDir: other }),
      (error) => error instanceof ServerStartError && /^kafka ended .*kafka\.log:\n.*node id/is.test(error.message),
    );
  });

  async function startMain(args: readonly string[]): Promise<{ child: ChildProcess; pids: number[]; lines: string[] }> {
    const child = spawn(process.execPath, [MAIN, '--data', join(dataDir, 'main'), ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const lines: string[] = [];
    for await (const line of createInterface(child.stdout)) {
      lines.push(line);
      if (line.startsWith('# Ctrl-C')) break;
    }
    const pids = lines.flatMap((line) => /^# \w+: .* pid (\d+)/.exec(line)?.[1] ?? []).map(Number);
    assert.equal(pids.length, SERVER_NAMES.length);
    return { child, pids, lines };
  }
});

async function createTopic(stack: Stack): Promise<void> {
  await withAdmin(stack, (admin) => admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 1 }] }));
}

function topics(stack: Stack): Promise<string[]> {
  return withAdmin(stack, (admin) => admin.listTopics());
}

async function withAdmin<Value>(
  stack: Stack,
  use: (admin: ReturnType<Kafka['admin']>) => Promise<Value>,
): Promise<Value> {
  const brokers = [stack.env.KAFKA_BROKERS ?? ''];
  const admin = new Kafka({ clientId: 'test', brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

async function registerSchema(stack: Stack): Promise<unknown> {
  const response = await fetch(`${stack.env.SCHEMA_REGISTRY_URL}/subjects/kept/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: '{"type":"record","name":"Kept","fields":[{"name":"text","type":"string"}]}' }),
  });
  const body: unknown = await response.json();
  assert(response.ok && typeof body === 'object' && body !== null && 'id' in body, JSON.stringify(body));
  return body.id;
}

async function query(stack: Stack, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: stack.env.DATABASE_URL, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}
