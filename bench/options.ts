// The command line of the benchmark.
import { parseArgs } from 'node:util';

export const WAYS = ['embedded', 'kafka'] as const;
export type WayName = (typeof WAYS)[number];
export const SCENARIOS = ['sends', 'latency', 'import', 'projection', 'idle'] as const;
export type ScenarioName = (typeof SCENARIOS)[number];

export type BenchOptions = {
  ways: WayName[];
  scenarios: ScenarioName[];
  runs: number;
  /** The recorded chat that import and projection need. */
  file: string | undefined;
  /** With Kafka: a process per role instead of one for all. */
  apart: boolean;
};

export const USAGE = `npm run bench -- [options]

  --way embedded|kafka|both        which way of running                        (both)
  --only ${SCENARIOS.join(',')}   (all; import and projection need --file)
  --file <chat.jsonl.gz>           the recorded chat to import
  --runs <n>                       runs of each scenario; medians are shown    (3)
  --apart                          with Kafka: a process per role (sends, latency and idle only)
`;

/** Throws an Error that says what is wrong with them. */
export function parseBenchOptions(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      way: { type: 'string', default: 'both' },
      only: { type: 'string' },
      file: { type: 'string' },
      runs: { type: 'string', default: '3' },
      apart: { type: 'boolean', default: false },
    },
  });
  const ways = WAYS.filter((way) => values.way === way || values.way === 'both');
  if (ways.length === 0) throw new Error(`--way ${values.way} is not known\n\n${USAGE}`);
  const wished = values.only?.split(',') ?? SCENARIOS.filter((name) => values.file !== undefined || !needsFile(name));
  const unknown = wished.find((name) => !SCENARIOS.some((scenario) => scenario === name));
  if (unknown !== undefined) throw new Error(`--only ${unknown} is not known\n\n${USAGE}`);
  const scenarios = SCENARIOS.filter((name) => wished.includes(name) && !(values.apart && needsFile(name)));
  if (values.file === undefined && scenarios.some(needsFile))
    throw new Error(`import and projection need --file\n\n${USAGE}`);
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs must be a whole number\n\n${USAGE}`);
  return {
    ways: values.apart ? ways.filter((way) => way === 'kafka') : ways,
    scenarios,
    runs,
    file: values.file,
    apart: values.apart,
  };
}

function needsFile(name: ScenarioName): boolean {
  return name === 'import' || name === 'projection';
}
