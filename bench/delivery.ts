// What the socket node can carry: one room with many sockets, many small rooms, idle sockets, sockets that come back all at once,
// sockets that do not read. Starts the product itself, on fresh data for every run; see README.md beside this file.
//
//   npx node bench/delivery.ts [--way embedded|kafka] [--apart] [--only fanout,rooms,idle,recover,storm,slow] [--runs 3] [--rates 10,50]
import { parseArgs } from 'node:util';
import { buildGenerator, type GeneratorMode, type GeneratorResult, runGeneratorSteps } from './generator.ts';
import { prepareRooms, type RoomsWanted } from './prepare-rooms.ts';
import { describeMachine } from './processor-time.ts';
import { list, median } from './report.ts';
import { openEmbedded, openOnKafka, type Servers, withStack } from './servers.ts';

type Scenario = RoomsWanted & { mode: GeneratorMode; flags: readonly string[] };

const { values } = parseArgs({
  options: {
    way: { type: 'string', default: 'embedded' },
    apart: { type: 'boolean', default: false },
    only: { type: 'string', default: 'fanout,rooms,idle,recover,storm,slow' },
    runs: { type: 'string', default: '3' },
    rates: { type: 'string' },
    step: { type: 'string', default: '5s' },
  },
});

const step = `-step=${values.step}`;
const SCENARIOS: Record<string, Scenario> = {
  fanout: {
    mode: 'fanout',
    sockets: 1_000,
    rooms: 1,
    flags: [`-rates=${values.rates ?? '10,50,200,600,1050,1250'}`, step],
  },
  rooms: {
    mode: 'fanout',
    sockets: 2_000,
    rooms: 200,
    flags: [`-rates=${values.rates ?? '1000,4000,6000'}`, '-turns', step],
  },
  idle: { mode: 'idle', sockets: 19_700, rooms: 20, flags: ['-step=5s'] },
  recover: { mode: 'recover', sockets: 1_000, rooms: 1, flags: ['-missed=200', '-live=20', '-dial=64'] },
  storm: { mode: 'recover', sockets: 10_000, rooms: 100, flags: ['-missed=50', '-live=20', '-dial=256'] },
  slow: { mode: 'slow', sockets: 1_000, rooms: 1, flags: ['-rate=400', '-step=60s'] },
};

async function main(): Promise<void> {
  say(describeMachine());
  await buildGenerator();
  const names = values.only.split(',');
  const unknown = names.find((name) => !Object.hasOwn(SCENARIOS, name));
  if (unknown !== undefined) throw new Error(`--only ${unknown} is not known`);
  await withServers(async (open) => {
    for (const name of names) {
      const scenario = SCENARIOS[name];
      if (scenario) await measure(name, scenario, open);
    }
  });
}

async function measure(name: string, scenario: Scenario, open: () => Promise<Servers>): Promise<void> {
  const runs: Record<string, number>[][] = [];
  for (let run = 1; run <= Number(values.runs); run++) {
    const servers = await open();
    try {
      const ground = await prepareRooms(servers, scenario);
      const results = await runGeneratorSteps({
        ...ground,
        mode: scenario.mode,
        flags: [...scenario.flags, `-server=${socketNode(servers)}`],
      });
      const figures = results.map((result) => toFigures(result, socketNode(servers)));
      for (const one of figures) say(`${name}, run ${run}: ${list(one)}`);
      runs.push(figures);
    } finally {
      await servers.close();
    }
  }
  process.stdout.write(`\n${name}, medians of ${runs.length}\n`);
  for (const [index, first] of (runs[0] ?? []).entries()) {
    const medians = Object.keys(first).map((figure) => [
      figure,
      median(runs.map((steps) => steps[index]?.[figure] ?? Number.NaN)),
    ]);
    process.stdout.write(`  ${list(Object.fromEntries(medians))}\n`);
  }
}

/** The process that has the sockets: the one of all roles, or the socket node's own. */
function socketNode(servers: Servers): string {
  return servers.processes.some(({ name }) => name === 'realtime') ? 'realtime' : 'roomlog';
}

function toFigures(result: GeneratorResult, node: string): Record<string, number> {
  const { WallS, Delivered, Expected, CPU, GeneratorCPU, OtherCPU, Steal, Extra = {} } = result;
  const share = (seconds: number) => Number((seconds / WallS).toFixed(2));
  const all = Object.values(CPU).reduce((sum, seconds) => sum + seconds, 0);
  const delivery = {
    'messages/s': result.Rate ?? 0,
    'deliveries/s': result.DeliveriesPerS,
    'not delivered': Expected - Delivered,
    'CPU-s per million, socket node': ((CPU[node] ?? 0) / Delivered) * 1e6,
    '…, all servers': (all / Delivered) * 1e6,
    'generator late p99 ms': result.LatenessP99Ms,
  };
  return {
    ...(result.Rate ? delivery : {}),
    'p50 ms': result.P50Ms,
    'p99 ms': result.P99Ms,
    'max ms': result.MaxMs,
    ...Object.fromEntries(Object.entries(CPU).map(([name, seconds]) => [`cores ${name}`, share(seconds)])),
    'cores generator': share(GeneratorCPU),
    'cores others': share(OtherCPU + Steal),
    dropped: result.Drops,
    refused: result.Refused,
    ...Extra,
  };
}

async function withServers(task: (open: () => Promise<Servers>) => Promise<void>): Promise<void> {
  if (values.way === 'embedded') {
    await task(openEmbedded);
    return;
  }
  if (values.way !== 'kafka') throw new Error(`--way ${values.way} is not known`);
  await withStack(say, (stack) => task(() => openOnKafka(stack, values.apart)));
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

await main();
