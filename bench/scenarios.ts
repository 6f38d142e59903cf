// What is measured, and how. Every scenario gives figures by name; a run of it is on fresh data.
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { childEnv } from '../ops/config.ts';
import { freePort } from '../platform/free-port.ts';
import { BOOKKEEPING_SCHEMA, bookkeepingTables, HISTORY_SCHEMA, historyTables } from '../projections/history/tables.ts';
import { startRole } from '../tests/e2e/support/role-process.ts';
import { runSql } from '../tests/support/fresh-database.ts';
import { runGenerator } from './generator.ts';
import type { ScenarioName } from './options.ts';
import { prepareRooms } from './prepare-rooms.ts';
import { measureProcessorTime } from './processor-time.ts';
import type { Servers } from './servers.ts';

export type Measured = { figures: Record<string, number>; cpuSeconds: Record<string, number> };
export type Scenario = (servers: Servers, file: string) => Promise<Measured>;

export const SCENARIO_BY_NAME: Record<ScenarioName, Scenario> = {
  sends: measureSends,
  latency: measureLatency,
  import: measureImport,
  projection: measureProjection,
  idle: measureIdle,
};

const execute = promisify(execFile);
const GROUND = { sockets: 200, rooms: 20 };
const LATENCY_RATE = 500;
const SETTLE_MS = 10_000;
const IDLE_MS = 30_000;
const IMPORT_TIMEOUT_MS = 1_800_000;
const PROJECTION_TIMEOUT_MS = 600_000;
const LOOK_EVERY_MS = 50;

/** 200 sockets in 20 rooms of 10, each waiting for its ack before it sends again. */
async function measureSends(servers: Servers): Promise<Measured> {
  const result = await runGenerator({ mode: 'acks', ...(await prepareRooms(servers, GROUND)) });
  const { AcksPerS, P50Ms, P99Ms, Refused, Drops, DeliveriesPerS, Acks, GeneratorCPU, OtherCPU } = result;
  return {
    figures: {
      'acks/s': AcksPerS,
      'p50 ms': P50Ms,
      'p99 ms': P99Ms,
      'deliveries/s': DeliveriesPerS,
      'server CPU ms per message': (sumOf(result.CPU) / Acks) * 1_000,
      'refused or dropped': Refused + Drops,
    },
    cpuSeconds: { ...result.CPU, generator: GeneratorCPU, other: OtherCPU },
  };
}

/** From one member's send to another member's socket, 500 sends a second in the same rooms. */
async function measureLatency(servers: Servers): Promise<Measured> {
  const result = await runGenerator({ mode: 'latency', rate: LATENCY_RATE, ...(await prepareRooms(servers, GROUND)) });
  const { P50Ms, P99Ms, MaxMs, Expected, Delivered, LatenessP99Ms, GeneratorCPU, OtherCPU } = result;
  return {
    figures: {
      'p50 ms': P50Ms,
      'p99 ms': P99Ms,
      'max ms': MaxMs,
      'not delivered': Expected - Delivered,
      'generator late p99 ms': LatenessP99Ms,
    },
    cpuSeconds: { ...result.CPU, generator: GeneratorCPU, other: OtherCPU },
  };
}

/** The whole file through the public interfaces, by the import tool. */
async function measureImport(servers: Servers, file: string): Promise<Measured> {
  const { value, cpuSeconds } = await measureProcessorTime(servers.processes, async () => {
    const startedAt = performance.now();
    const output = await importFile(servers, file);
    return { seconds: (performance.now() - startedAt) / 1_000, output };
  });
  const events = Number(/([\d,]+) events in [\d.]+ s/.exec(value.output)?.[1]?.replaceAll(',', '') ?? Number.NaN);
  return { figures: { 'whole file s': value.seconds, 'events/s': events / value.seconds }, cpuSeconds };
}

/** The projections alone, on the log of an import, into a database without a row of theirs. From the start of the process. */
async function measureProjection(servers: Servers, file: string): Promise<Measured> {
  await importFile(servers, file);
  const ground = await servers.stopRoles();
  const { messages, roomEvents } = historyTables(HISTORY_SCHEMA);
  const { checkpoints } = bookkeepingTables(BOOKKEEPING_SCHEMA);
  const { databaseUrl } = ground;
  const count = async (statement: string) => Number((await runSql(databaseUrl, statement))[0]?.count ?? 0);
  const rows = `select (select count(*) from ${messages}) + (select count(*) from ${roomEvents}) as count`;
  const reached = `select coalesce(sum(next_offset), 0) as count from ${checkpoints}`;
  const [events, head] = [await count(rows), await count(reached)];
  await runSql(databaseUrl, `drop schema ${HISTORY_SCHEMA} cascade`);
  await runSql(databaseUrl, `truncate ${checkpoints}`);

  const port = await freePort();
  const startedAt = performance.now();
  const role = await startRole({
    file: 'projections/main.ts',
    env: { ...ground.env, PROJECTIONS_PORT: String(port), LOG_LEVEL: 'warn' },
    readyUrl: `http://127.0.0.1:${port}/health`,
  });
  try {
    const upAt = performance.now();
    const processes = [{ name: 'projections', pid: role.pid, withDescendants: false }, ...ground.processes];
    const { cpuSeconds } = await measureProcessorTime(processes, async () => {
      while ((await count(reached)) < head) {
        if (performance.now() - startedAt > PROJECTION_TIMEOUT_MS)
          throw new Error('the projection does not reach the head');
        await sleep(LOOK_EVERY_MS);
      }
    });
    const seconds = (performance.now() - startedAt) / 1_000;
    const projected = await count(rows);
    if (projected !== events) throw new Error(`${projected} events were projected, and there had been ${events}`);
    const startS = (upAt - startedAt) / 1_000;
    return {
      figures: { events, 'whole log s': seconds, 'events/s': events / seconds, 'of that start s': startS },
      cpuSeconds,
    };
  } finally {
    await role.stop();
  }
}

/** All roles up, nobody there: processor time over half a minute. */
async function measureIdle(servers: Servers): Promise<Measured> {
  await prepareRooms(servers, GROUND);
  await sleep(SETTLE_MS);
  const { cpuSeconds } = await measureProcessorTime(servers.processes, () => sleep(IDLE_MS));
  const percent = Object.entries(cpuSeconds).map(([name, s]) => [`${name} % of a core`, (s / IDLE_MS) * 100_000]);
  return { figures: Object.fromEntries(percent), cpuSeconds };
}

async function importFile(servers: Servers, file: string): Promise<string> {
  const main = fileURLToPath(new URL('../ops/import/main.ts', import.meta.url));
  const args = [main, file, '--url', servers.restUrl.href, '--ws', servers.socketUrl.href];
  const env = childEnv({ JWT_SECRET: servers.secret });
  const { stdout } = await execute(process.execPath, args, { env, timeout: IMPORT_TIMEOUT_MS });
  return stdout;
}

function sumOf(values: Record<string, number>): number {
  return Object.values(values).reduce((sum, value) => sum + value, 0);
}
