// docker-compose.yml cannot be run where tests run, so what would go wrong unseen is checked here: names, ports and versions that
// have to agree between it, the gateway's configuration, the native stack and the roles.
import assert from 'node:assert/strict';
import { access, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { before, describe, it } from 'mocha';
import { parse } from 'yaml';
import { z } from 'zod';
import { commandSucceeds, runCommand } from '../platform/run-command.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const PORT_BY_ROLE = {
  commands: ['CHAT_SERVICE_PORT', '3000'],
  'read-api': ['READ_API_PORT', '3001'],
  realtime: ['REALTIME_PORT', '3002'],
  projections: ['PROJECTIONS_PORT', '3009'],
} as const;

const Service = z.strictObject({
  image: z.string(),
  build: z.string().optional(),
  init: z.boolean().optional(),
  restart: z.literal('unless-stopped'),
  stop_grace_period: z.string().optional(),
  shm_size: z.string().optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  expose: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  depends_on: z
    .union([z.array(z.string()), z.record(z.string(), z.strictObject({ condition: z.literal('service_healthy') }))])
    .default([]),
  healthcheck: z.strictObject({
    test: z.array(z.string()).min(2),
    interval: z.string(),
    timeout: z.string(),
    retries: z.int(),
    start_period: z.string(),
  }),
});
const Compose = z.object({
  name: z.literal('roomlog'),
  services: z.record(z.string(), Service),
  volumes: z.record(z.string(), z.null()),
});

describe('docker-compose.yml', () => {
  let compose: z.output<typeof Compose>;

  before(async () => {
    compose = Compose.parse(parse(await readFile(`${ROOT}docker-compose.yml`, 'utf8'), { merge: true }));
  });

  function service(name: string): z.output<typeof Service> {
    const found = compose.services[name];
    assert(found !== undefined, `there is a service ${name}`);
    return found;
  }

  it('is accepted by docker compose, where that is installed, and only with a secret for the tokens', async function () {
    this.timeout(60_000);
    const config = ['docker', 'compose', '--file', `${ROOT}docker-compose.yml`, 'config', '--quiet'];
    const options = { timeoutMs: 30_000 };
    if (await commandSucceeds('docker', ['compose', 'version'], options)) {
      await runCommand('env', ['JWT_SECRET=secret', ...config], options);
      await assert.rejects(runCommand('env', ['-u', 'JWT_SECRET', ...config], options), /JWT_SECRET/);
    }
    for (const role of Object.keys(PORT_BY_ROLE)) {
      assert.match(service(role).environment.JWT_SECRET ?? '', /^\$\{JWT_SECRET:\?.+\}$/);
    }
  });

  it('has a service for every role, which runs its program on its port and can be scaled', async () => {
    for (const [role, [variable, port]] of Object.entries(PORT_BY_ROLE)) {
      const { command, environment, expose, ports, healthcheck } = service(role);
      assert.deepEqual(command, ['node', `${role}/main.ts`]);
      await access(`${ROOT}${role}/main.ts`);
      assert.equal(environment[variable], port);
      assert.deepEqual(expose, [port]);
      assert.equal(healthcheck.test.at(-1), port);
      // A published port could be had by one container alone. (A fixed container_name is no field of Service at all.)
      assert.deepEqual(ports, []);
    }
  });

  it('publishes the two ports of the gateway and nothing else', () => {
    const published = Object.entries(compose.services).filter(([, { ports }]) => ports.length > 0);
    assert.deepEqual(
      published.map(([name, { ports }]) => [name, ports]),
      [['gateway', ['3000:3000', '3002:3002']]],
    );
  });

  it('names only services, volumes and files that there are', async () => {
    for (const { depends_on, volumes } of Object.values(compose.services)) {
      for (const name of Array.isArray(depends_on) ? depends_on : Object.keys(depends_on)) service(name);
      for (const [source = ''] of volumes.map((volume) => volume.split(':'))) {
        if (source.startsWith('./')) await access(`${ROOT}${source}`);
        else assert(source in compose.volumes, `there is a volume ${source}`);
      }
    }
  });

  it('points every role at the servers by the names and ports that they have', () => {
    for (const role of Object.keys(PORT_BY_ROLE)) {
      const { environment } = service(role);
      assert.equal(environment.KAFKA_BROKERS, 'kafka:9092');
      assert.equal(service('kafka').environment.KAFKA_ADVERTISED_LISTENERS, `PLAINTEXT://${environment.KAFKA_BROKERS}`);
      assert.equal(new URL(environment.SCHEMA_REGISTRY_URL ?? '').hostname, 'registry');
      assert.match(environment.DATABASE_URL ?? '', /@postgres:5432\/roomlog$/);
      assert.equal(environment.REDIS_HOST, 'redis');
      for (const server of ['kafka', 'registry', 'postgres', 'redis']) service(server);
    }
    assert.equal(service('realtime').environment.COMMANDS_URL, 'http://commands:3000');
  });

  it('has a gateway that finds the roles under the names and ports of their services', async () => {
    const text = await readFile(`${ROOT}ops/gateway/haproxy.cfg`, 'utf8');
    const targets = [...text.matchAll(/^\s*server-template \S+ \d+ (\S+):(\d+)$/gm)].map(([, name, port]) => [
      name,
      port,
    ]);
    assert.deepEqual(targets, [
      ['commands', '3000'],
      ['read-api', '3001'],
      ['realtime', '3002'],
    ]);
  });

  it('runs the same versions of Kafka and of the registry as the native stack', async () => {
    const pom = await readFile(`${ROOT}ops/stack/pom.xml`, 'utf8');
    const version = (name: string): string | undefined => new RegExp(`<${name}.version>(.+)</`).exec(pom)?.[1];
    assert.equal(service('kafka').image, `apache/kafka:${version('kafka')}`);
    assert.equal(service('registry').image, `apicurio/apicurio-registry:${version('apicurio')}`);
  });
});
