// ONE RUN: clients, nodes that all own one partition, a broker, and mishaps, until every wish is settled and all that is under way
// has arrived. Then every node is asked what it holds for true.
import type { Command } from '../../schemas/commands.ts';
import { runClient, type Settled } from './client.ts';
import { askNodes, foldAsNew } from './comparing.ts';
import type { Scenario } from './scenario.ts';
import { World } from './world.ts';

/** What a run did, for whoever counts and compares. `calmSteps`: how long the last wish took after the last fault. */
export type Outcome = { trace: readonly string[]; steps: number; calmSteps: number; met: ReadonlyMap<string, number> };

/** A run that found something wrong. The message says what, and what happened before it. */
class ViolationError extends Error {
  override readonly name = 'ViolationError';
  readonly code = 'violation';
  readonly retryable = false;
}

/** Steps without a fault within which every wish is settled, by far. With more, something goes round in circles. */
const MAX_CALM_STEPS = 3_000;
/** Lines of what happened last that a violation tells. */
const TRACE_LINES = 80;

/** Throws ViolationError, or what a mistake of the simulation itself throws. */
export async function simulate(scenario: Scenario): Promise<Outcome> {
  const world = new World(scenario);
  try {
    const calmSteps = await settleAll(world, scenario);
    await run(world, askNodes(world, scenario.wishes.length));
    const readings = ['a last reader', 'another one'].map((who) => world.runReading({ afterTurns: 0, from: 0 }, who));
    await run(world, Promise.all([...readings, foldAsNew(world)]));
    await run(world, world.stopAll());
    const { met, schedule } = world;
    return { trace: schedule.trace, steps: schedule.steps, calmSteps, met };
  } finally {
    world.close();
  }
}

/** Until every wish is settled and nothing is under way any more. */
async function settleAll(world: World, { wishes, readings, mishaps }: Scenario): Promise<number> {
  const { schedule } = world;
  const deps = { schedule, call: (node: number, command: Command) => world.call(node, command) };
  const settled = wishes.map((): Settled[] => []);
  void world.runMishaps(mishaps);
  const clients = wishes.map((list, client) => runClient(client, list, settled[client] ?? [], deps));
  await run(
    world,
    Promise.all([...clients, ...readings.map((one, index) => world.runReading(one, `reader-${index}`))]),
  );
  const { calmSteps } = world;
  world.endFaults();
  await run(world, null);
  world.judge.atEnd(settled);
  return calmSteps;
}

/**
 * Until the goal is reached (null: until nothing is left to happen). Where nothing is left to happen before that, somebody waits
 * for ever, which is a violation, as is whatever was found on the way.
 */
async function run(world: World, goal: Promise<unknown> | null): Promise<void> {
  const reached: { isReached: boolean; problem: unknown } = { isReached: false, problem: null };
  goal?.then(
    () => {
      reached.isReached = true;
    },
    (error: unknown) => {
      reached.problem = error;
    },
  );
  while (!reached.isReached) {
    if (reached.problem !== null) throw reached.problem;
    if (world.failure !== null) throw violation(world, world.failure);
    if (world.calmSteps > MAX_CALM_STEPS) throw violation(world, `not settled ${MAX_CALM_STEPS} steps after a fault`);
    if ((await world.schedule.step()) || world.thawAll()) continue;
    if (goal === null) break;
    throw violation(world, 'somebody waits, and nothing is left to happen');
  }
  if (world.failure !== null) throw violation(world, world.failure);
}

function violation(world: World, what: string): ViolationError {
  const { trace } = world.schedule;
  return new ViolationError(`${what}\n${trace.slice(-TRACE_LINES).join('\n')}`);
}
