// Runs before every npm script that needs packages, on any Node from 20 on: installs what package-lock.json lists when it is
// not there, so that `npm start` and `npm test` work in a fresh clone. Plain JavaScript without dependencies, because nothing
// is installed yet when it runs. It puts Node 24 on the path of npm scripts too: the `node` package is one of those listed.
//
// When nothing is to be done it only hashes one file (a few milliseconds). A tree that was installed by hand is recognised by
// npm's own list of it, and is not installed again.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const WANTED_NODE = 24;
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const stampFile = join(modules, '.installed-for');
const nodeProgram = join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');

const lockText = readFileSync(join(root, 'package-lock.json'), 'utf8');
const stamp = createHash('sha256').update(lockText).digest('hex');

if (readOrNull(stampFile) !== stamp || !existsSync(nodeProgram)) {
  if (!isInstalled()) install();
  checkNode();
  writeFileSync(stampFile, stamp);
}

/** Whether npm's own list of the tree has every package of the lock that this machine needs, in the locked version. */
function isInstalled() {
  const listText = readOrNull(join(modules, '.package-lock.json'));
  if (listText === null || !existsSync(nodeProgram)) return false;
  const there = JSON.parse(listText).packages;
  return Object.entries(JSON.parse(lockText).packages).every(
    ([path, { version, optional, devOptional }]) =>
      path === '' || optional || devOptional || there[path]?.version === version,
  );
}

function install() {
  const started = Date.now();
  process.stderr.write('Installing packages (npm ci; only when package-lock.json has changed) ...\n');
  // Scripts stay on and development packages in, whatever the machine's npm is configured to: Node 24 comes by both.
  const { status, output } = npm(['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']);
  if (status !== 0) fail(`npm ci failed:\n${output}`);
  process.stderr.write(`Installed in ${Math.round((Date.now() - started) / 1000)} s.\n`);
}

function checkNode() {
  // A machine that forbids install scripts leaves the package without its program; its own script is only a copy of it.
  if (!existsSync(nodeProgram)) run(process.execPath, ['installArchSpecificPackage.js'], join(modules, 'node'));
  const { status, output } = run(nodeProgram, ['--version'], root);
  if (status !== 0 || Number(/^v(\d+)\./.exec(output)?.[1]) < WANTED_NODE) {
    fail(`Node ${WANTED_NODE} from the npm package "node" does not run on this machine (${nodeProgram}):\n${output}`);
  }
}

/** The npm that runs this script, so that its own configuration and version apply; by hand, the one on the path. */
function npm(args) {
  const running = process.env.npm_execpath;
  if (running?.endsWith('npm-cli.js')) return run(process.execPath, [running, ...args], root);
  return run('npm', args, root);
}

function run(program, args, cwd) {
  // INIT_CWD and the like of the calling npm are harmless; a forced production mode would leave out what tests and tools need.
  const env = { ...process.env, NODE_ENV: '', npm_config_ignore_scripts: 'false' };
  const result = spawnSync(program, args, { cwd, env, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  return {
    status: result.status,
    output: `${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`,
  };
}

function readOrNull(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
