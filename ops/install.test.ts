import assert from 'node:assert/strict';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { runCommand } from '../platform/run-command.ts';
import { PROJECT_ROOT } from '../tests/support/sources.ts';

const LOCK = {
  packages: {
    '': { name: 'roomlog' },
    'node_modules/node': { version: '24.0.0', dev: true },
    'node_modules/koa': { version: '3.0.0' },
    'node_modules/only-elsewhere': { version: '1.0.0', optional: true },
  },
};
/** Does what `npm ci` would, and notes that it was called. */
const NPM = `
  const { appendFileSync, mkdirSync, writeFileSync } = require('node:fs');
  appendFileSync('npm-calls', process.argv.slice(2).join(' ') + '\\n');
  mkdirSync('node_modules/node/bin', { recursive: true });
  writeFileSync('node_modules/node/bin/node', '#!/bin/sh\\necho v24.0.0\\n', { mode: 0o755 });`;

describe('installing before an npm script', () => {
  let root = '';

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'roomlog-install-'));
    await mkdir(join(root, 'ops'));
    await cp(join(PROJECT_ROOT, 'ops/install.mjs'), join(root, 'ops/install.mjs'));
    await writeFile(join(root, 'package-lock.json'), JSON.stringify(LOCK));
    await writeFile(join(root, 'npm-cli.js'), NPM);
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('installs by npm ci, with development packages, in a fresh clone', async () => {
    assert.match(await install(), /^Installing packages .*\nInstalled in \d+ s\.\n$/);
    assert.deepEqual(await npmCalls(), ['ci --include=dev --no-audit --no-fund --loglevel=error']);
  });

  it('does nothing, and says nothing, when that is done', async () => {
    await install();
    assert.equal(await install(), '');
    assert.equal((await npmCalls()).length, 1);
  });

  it('installs again when the lock has changed', async () => {
    await install();
    await writeFile(join(root, 'package-lock.json'), JSON.stringify({ ...LOCK, version: 2 }));
    await install();
    assert.equal((await npmCalls()).length, 2);
  });

  it('recognises what was installed by hand', async () => {
    await mkdir(join(root, 'node_modules/node/bin'), { recursive: true });
    const program = join(root, 'node_modules/node/bin/node');
    await writeFile(program, '#!/bin/sh\necho v24.0.0\n');
    await chmod(program, 0o755);
    const { 'node_modules/only-elsewhere': _, ...there } = LOCK.packages;
    await writeFile(join(root, 'node_modules/.package-lock.json'), JSON.stringify({ packages: there }));
    assert.equal(await install(), '');
    assert.deepEqual(await npmCalls(), []);
  });

  it('says why where npm fails', async () => {
    await writeFile(join(root, 'npm-cli.js'), 'console.error("no network"); process.exit(1);');
    await assert.rejects(install(), /npm ci failed:\nno network/);
  });

  it('says so where the Node it brought does not run', async () => {
    await writeFile(join(root, 'npm-cli.js'), NPM.replace('echo v24.0.0', 'echo v18.0.0'));
    await assert.rejects(install(), /Node 24 .* does not run on this machine/);
  });

  /** Runs it as npm would; resolves with what it wrote. */
  function install(): Promise<string> {
    const env = ['env', `npm_execpath=${join(root, 'npm-cli.js')}`, process.execPath, join(root, 'ops/install.mjs')];
    const [program = '', ...args] = env;
    return runCommand(program, args, { timeoutMs: 20_000, cwd: root });
  }

  async function npmCalls(): Promise<string[]> {
    const text = await readFile(join(root, 'npm-calls'), 'utf8').catch(() => '');
    return text.split('\n').filter((line) => line !== '');
  }
});
