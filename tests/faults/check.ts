// Checks a run again after it:
//
//   node tests/faults/check.ts <history file> --database <url> [--redis host:port --prefix <prefix>]
//     [--history-schema <schema> --bookkeeping-schema <schema>]
//     and the log: --kafka <host:port,…> --registry <url> --topic <topic> --partitions <n>, or --log-schema <schema>
//
// Exit code 0: no violation; 1: some; 2: it could not be checked.
import { parseArgs } from 'node:util';
import { checkRun, formatReport, type RunToCheck } from './check-run.ts';
import { LIVE_SCHEMAS } from './read-tables.ts';

const OPTIONS = [
  'database',
  'history-schema',
  'bookkeeping-schema',
  'kafka',
  'registry',
  'topic',
  'partitions',
  'log-schema',
  'redis',
  'prefix',
] as const;
type Options = Partial<Record<(typeof OPTIONS)[number], string>>;

function parseRun(args: string[]): RunToCheck {
  const options = Object.fromEntries(OPTIONS.map((name) => [name, { type: 'string' as const }]));
  const parsed = parseArgs({ args, options, allowPositionals: true });
  const values: Options = parsed.values as Options;
  const need = (name: keyof Options): string => {
    const value = values[name];
    if (value === undefined) throw new Error(`--${name} is missing`);
    return value;
  };
  const [historyFile] = parsed.positionals;
  if (historyFile === undefined) throw new Error('the history file is missing');
  const databaseUrl = need('database');
  const [host = '', port = ''] = values.redis?.split(':') ?? [];
  return {
    historyFile,
    databaseUrl,
    schemas: {
      history: values['history-schema'] ?? LIVE_SCHEMAS.history,
      bookkeeping: values['bookkeeping-schema'] ?? LIVE_SCHEMAS.bookkeeping,
    },
    redis: values.redis === undefined ? null : { host, port: Number(port), prefix: need('prefix') },
    log:
      values.kafka === undefined
        ? { kind: 'postgres', url: databaseUrl, schema: need('log-schema') }
        : {
            kind: 'kafka',
            brokers: values.kafka.split(','),
            registryUrl: need('registry'),
            topic: need('topic'),
            partitions: Number(need('partitions')),
          },
  };
}

try {
  const report = await checkRun(parseRun(process.argv.slice(2)));
  process.stdout.write(formatReport(report));
  process.exitCode = report.violations.length === 0 ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
