// `npm run replay -- <verb>`: looks after the read models. Each verb stands in verbs/<verb>.ts.
import { Command, CommanderError } from 'commander';
import { createLogger } from '../../platform/logger.ts';
import type { Cli } from './cli.ts';
import { readReplayConfig } from './config.ts';
import { EXIT, type Exit, toExit } from './exits.ts';
import { openResources, type Resources } from './open-resources.ts';
import { Output } from './output.ts';
import { addAsOf } from './verbs/as-of.ts';
import { addAudit } from './verbs/audit.ts';
import { addBuildVerbs } from './verbs/builds.ts';
import { addCache } from './verbs/cache.ts';
import { addDiff } from './verbs/diff.ts';
import { addDlq } from './verbs/dlq.ts';
import { addEvents } from './verbs/events.ts';
import { addRebuild } from './verbs/rebuild.ts';
import { addRepair } from './verbs/repair.ts';
import { addStatus } from './verbs/status.ts';
import { addVerify } from './verbs/verify.ts';
import { addVersions } from './verbs/versions.ts';

const VERBS = [
  addAsOf,
  addAudit,
  addBuildVerbs,
  addCache,
  addDiff,
  addDlq,
  addEvents,
  addRebuild,
  addRepair,
  addStatus,
  addVerify,
  addVersions,
];
/** npm hands a terminal's Ctrl-C on to a program that had it from the terminal already, so one keypress may arrive twice. */
const SAME_KEYPRESS_MS = 300;

async function main(args: string[]): Promise<Exit> {
  const out = new Output(process.stdout, process.stderr);
  let exit: Exit = EXIT.done;
  let resources: Resources | undefined;
  const open = (): Resources => {
    if (resources === undefined) {
      const config = readReplayConfig();
      resources = openResources(config, createLogger('replay', config.logLevel, 'stderr'));
    }
    return resources;
  };
  const cli: Cli = {
    out,
    resources: open,
    signal: abortOnSignals(),
    run: async (work) => {
      exit = await work();
    },
  };
  try {
    await commandLine(cli).parseAsync(args, { from: 'user' });
    return exit;
  } catch (error) {
    const end = toExit(error);
    // What is wrong with the command line itself, commander has said already.
    if (!(error instanceof CommanderError)) out.fault(end.line);
    return end.exit;
  } finally {
    await resources?.close();
  }
}

function commandLine(cli: Cli): Command {
  const program = new Command('npm run replay --')
    .description('Looks after the read models: shows, rebuilds, proves and repairs what was folded from the log.')
    .option('--json', 'one JSON object a line instead of text')
    .hook('preAction', (command) => {
      cli.out.json = command.opts().json === true;
    })
    .exitOverride()
    .showHelpAfterError('(--help shows what there is)');
  for (const add of VERBS) add(program, cli);
  // Each of them was made with the settings that the program had then.
  for (const command of [...program.commands].flatMap((one) => [one, ...one.commands])) command.exitOverride();
  return program;
}

/** The second Ctrl-C ends at once: what was under way is gone on with when the verb is run again. */
function abortOnSignals(): AbortSignal {
  const stopping = new AbortController();
  let firstAt: number | null = null;
  const onSignal = (): void => {
    firstAt ??= performance.now();
    if (performance.now() - firstAt > SAME_KEYPRESS_MS) process.exit(EXIT.interrupted);
    stopping.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return stopping.signal;
}

// Whoever reads the result has read enough of it, as head does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.fault);
});
process.exitCode = await main(process.argv.slice(2));
