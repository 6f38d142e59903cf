// Finds the programs that the stack and the tests need beside npm's packages, and installs what is missing where it may: with apt
// as root, which a fresh container is. Everywhere else it says exactly what to install; it never goes on without.
import { access, chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError, commandSucceeds, runCommand } from '../../platform/run-command.ts';

export type ToolName = 'java' | 'maven' | 'redis-server' | 'chromium' | 'python';

export type EnsureToolsOptions = {
  /** The Python environment is made in it. */
  readonly cacheDir: string;
  readonly onProgress: (line: string) => void;
};

/** A program is missing and could not be installed; the message says what to do. */
class MissingToolsError extends Error {
  override readonly name = 'MissingToolsError';
  readonly code = 'missing_tools';
  readonly retryable = false;
}

type Tool = {
  /** What is said when it is missing. */
  readonly label: string;
  /** Where to look for it: the first that works is taken. */
  readonly commands: readonly string[];
  readonly works: (command: string) => Promise<boolean>;
  /** apt packages that bring it, the first installable one is taken; several belong together as one text with blanks. */
  readonly packages: readonly string[];
};

const PROBE = { timeoutMs: 30_000 };
const APT_UPDATE_TIMEOUT_MS = 300_000;
const APT_INSTALL_TIMEOUT_MS = 900_000;
const PIP_TIMEOUT_MS = 300_000;
const PYTHON_PACKAGES = ['fastavro', 'kafka-python'];
const MIN_JAVA_VERSION = 17;
const POLICY_FILE = '/usr/sbin/policy-rc.d';

const TOOLS: Readonly<Record<ToolName, Tool>> = {
  java: {
    label: `Java ${MIN_JAVA_VERSION} or later`,
    commands: ['java'],
    works: async (command) => (await javaVersion(command)) >= MIN_JAVA_VERSION,
    packages: ['openjdk-21-jre-headless', 'openjdk-17-jre-headless', 'default-jre-headless'],
  },
  maven: {
    label: 'Maven',
    commands: ['mvn'],
    works: (command) => commandSucceeds(command, ['--version'], PROBE),
    packages: ['maven'],
  },
  'redis-server': {
    label: 'redis-server',
    commands: ['redis-server', 'valkey-server'],
    works: (command) => commandSucceeds(command, ['--version'], PROBE),
    packages: ['redis-server', 'valkey-server'],
  },
  chromium: {
    label: 'Chromium',
    commands: [
      'chromium',
      'chromium-browser',
      'google-chrome',
      'google-chrome-stable',
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    ],
    works: (command) => commandSucceeds(command, ['--version'], PROBE),
    packages: ['chromium'],
  },
  python: {
    label: 'Python 3 with its module venv',
    commands: ['python3'],
    works: (command) => commandSucceeds(command, ['-c', 'import venv, ensurepip'], PROBE),
    packages: ['python3 python3-venv'],
  },
};

/**
 * Makes sure of each named tool and resolves to the path to run it by; `python` is the interpreter of an environment that has
 * `fastavro` and `kafka-python`. Rejects with MissingToolsError.
 */
export async function ensureTools<Name extends ToolName>(
  names: readonly Name[],
  options: EnsureToolsOptions,
): Promise<Record<Name, string>> {
  let found = await findAll(names);
  const missing = names.filter((name) => found[name] === undefined);
  if (missing.length > 0) {
    await install(missing, options.onProgress);
    found = await findAll(names);
  }
  const paths: Partial<Record<Name, string>> = {};
  for (const name of names) {
    const command = found[name];
    if (command === undefined) throw new MissingToolsError(`${TOOLS[name].label} was installed but does not run`);
    paths[name] = name === 'python' ? await ensurePythonEnvironment(command, options) : command;
  }
  // Every name of `names` was given a path just above.
  return paths as Record<Name, string>;
}

/** The major version of a Java program; 0 when it does not run or does not say. */
async function javaVersion(command: string): Promise<number> {
  try {
    return parseJavaVersion(await runCommand(command, ['-version'], PROBE));
  } catch (error) {
    if (error instanceof CommandError) return 0;
    throw error;
  }
}

/** From what `java -version` says; versions up to 8 call themselves 1.8 and so on, which is old enough to be just that. */
export function parseJavaVersion(text: string): number {
  return Number(/version "(\d+)/.exec(text)?.[1] ?? 0);
}

async function findAll<Name extends ToolName>(names: readonly Name[]): Promise<Partial<Record<Name, string>>> {
  const found: Partial<Record<Name, string>> = {};
  await Promise.all(
    names.map(async (name) => {
      const command = await findTool(TOOLS[name]);
      if (command !== undefined) found[name] = command;
    }),
  );
  return found;
}

async function findTool(tool: Tool): Promise<string | undefined> {
  for (const command of tool.commands) {
    const path = await findOnPath(command);
    if (path !== undefined && (await tool.works(path))) return path;
  }
  return undefined;
}

async function findOnPath(command: string): Promise<string | undefined> {
  try {
    return (await runCommand('sh', ['-c', 'command -v "$1"', 'sh', command], PROBE)).trim();
  } catch (error) {
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

async function install(missing: readonly ToolName[], onProgress: (line: string) => void): Promise<void> {
  const wanted = missing.map((name) => `${TOOLS[name].label} (on Debian and Ubuntu: apt-get install ${aptHint(name)})`);
  const canInstall = process.getuid?.() === 0 && (await commandSucceeds('apt-get', ['--version'], PROBE));
  if (!canInstall) {
    throw new MissingToolsError(`missing: ${wanted.join('; ')}. Install it and try again.`);
  }
  try {
    onProgress('tools: apt-get update');
    await apt(['update'], APT_UPDATE_TIMEOUT_MS);
    const packages = (await Promise.all(missing.map((name) => installablePackages(TOOLS[name])))).flat();
    onProgress(`tools: apt-get install ${packages.join(' ')}`);
    await withoutStartingServices(() =>
      apt(['install', '-y', '--no-install-recommends', ...packages], APT_INSTALL_TIMEOUT_MS),
    );
  } catch (error) {
    throw new MissingToolsError(`missing, and apt-get could not install it: ${wanted.join('; ')}`, { cause: error });
  }
}

async function installablePackages(tool: Tool): Promise<readonly string[]> {
  for (const packages of tool.packages) {
    const names = packages.split(' ');
    if (await commandSucceeds('apt-get', ['install', '--simulate', ...names], { timeoutMs: 60_000 })) return names;
  }
  throw new MissingToolsError(`none of the packages for ${tool.label} is in apt's lists: ${tool.packages.join(', ')}`);
}

async function apt(args: readonly string[], timeoutMs: number): Promise<void> {
  const command = ['DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-o', 'DPkg::Lock::Timeout=300', ...args];
  await runCommand('env', command, { timeoutMs });
}

/* Installing redis-server would also start one, on the port that ours is meant to have. Debian asks this file before it starts a
   service; one that is there already is the administrator's and stays. */
async function withoutStartingServices(action: () => Promise<void>): Promise<void> {
  const hasPolicy = await access(POLICY_FILE).then(
    () => true,
    () => false,
  );
  if (hasPolicy) return action();
  await writeFile(POLICY_FILE, '#!/bin/sh\nexit 101\n');
  try {
    await chmod(POLICY_FILE, 0o755);
    await action();
  } finally {
    await rm(POLICY_FILE, { force: true });
  }
}

async function ensurePythonEnvironment(basePython: string, options: EnsureToolsOptions): Promise<string> {
  const dir = join(options.cacheDir, 'python');
  const python = join(dir, 'bin', 'python');
  if (await commandSucceeds(python, ['-c', 'import fastavro, kafka'], PROBE)) return python;
  options.onProgress('tools: Python environment with fastavro and kafka-python');
  try {
    await runCommand(basePython, ['-m', 'venv', '--clear', dir], { timeoutMs: PIP_TIMEOUT_MS });
    await runCommand(python, ['-m', 'pip', 'install', '--quiet', ...PYTHON_PACKAGES], { timeoutMs: PIP_TIMEOUT_MS });
  } catch (error) {
    throw new MissingToolsError('the Python packages fastavro and kafka-python could not be installed', {
      cause: error,
    });
  }
  return python;
}

function aptHint(name: ToolName): string {
  return TOOLS[name].packages[0] ?? name;
}
