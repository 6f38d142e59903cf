// `npm run stack`: starts the real servers, prints the environment for Roomlog's roles, and stops them all on Ctrl-C.
//
//   --data <folder>       where the servers keep their data (default: data/stack)
//   --cache <folder>      where downloads are kept (default: .cache)
//   --write-env <file>    also writes the environment there, for `node --env-file=<file> main.ts` (an option of the name --env-file
//                         Node would take for its own, wherever it stands)
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Stack, startStack } from './start-stack.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PORTS = { kafka: 9092, registry: 8081, postgres: 5432, redis: 6379 };

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string', default: `${ROOT}data/stack` },
      cache: { type: 'string', default: `${ROOT}.cache` },
      'write-env': { type: 'string' },
    },
  });
  const interrupted = new AbortController();
  // Further signals change nothing: the servers are being stopped in order, which is bounded.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => interrupted.abort(new Error(`stopped by ${signal}`)));
  }
  let stack: Stack;
  try {
    stack = await startStack({
      dataDir: values.data,
      cacheDir: values.cache,
      ports: PORTS,
      onProgress: say,
      signal: interrupted.signal,
    });
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    say('stopped before it was up');
    return;
  }
  try {
    await present(stack, values['write-env']);
    await untilAborted(interrupted.signal);
    say('stopping');
  } finally {
    await stack.stop();
  }
  say('stopped');
}

async function present(stack: Stack, envFile: string | undefined): Promise<void> {
  const entries = Object.entries(stack.env);
  if (envFile !== undefined) {
    // It holds the database's password and the tokens' secret.
    await writeFile(envFile, entries.map(([name, value]) => `${name}=${value}\n`).join(''), { mode: 0o600 });
  }
  const lines = [
    '',
    ...stack.servers.map(({ name, pid, port, logFile }) => `# ${name}: 127.0.0.1:${port}, pid ${pid}, log ${logFile}`),
    '',
    ...entries.map(([name, value]) => `export ${name}=${value}`),
    '',
    '# Paste the lines above into another terminal, then run all roles there:  npm start',
    '# or each role for itself:  npm run start:commands   (also start:read-api, start:realtime, start:projections)',
    ...(envFile === undefined ? [] : [`# The same is in ${envFile}:  node --env-file=${envFile} main.ts`]),
    '# Ctrl-C here stops the servers.',
    '',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/* The timer keeps the process alive: nothing else does, because the servers are processes of their own. */
function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(() => undefined, 3_600_000);
    const finish = (): void => {
      clearInterval(timer);
      resolve();
    };
    if (signal.aborted) finish();
    else signal.addEventListener('abort', finish, { once: true });
  });
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

try {
  await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  if (error instanceof Error && error.cause instanceof Error) say(error.cause.message);
  process.exitCode = 1;
}
