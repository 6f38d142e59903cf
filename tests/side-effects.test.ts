// A projection may be run again at any time, so it must not be able to send anything. The rules that keep it so are tried here on code
// that breaks them.
import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cruise, type IConfiguration, type ICruiseResult } from 'dependency-cruiser';
import { ESLint } from 'eslint';
import { after, before, describe, it } from 'mocha';
import { PROJECT_ROOT } from './support/sources.ts';

const { forbidden } = createRequire(import.meta.url)('../.dependency-cruiser.cjs') as Pick<IConfiguration, 'forbidden'>;

const SENDING = {
  'node:http': "import { request } from 'node:http'; export const send = request;",
  'https without a prefix': "import { request } from 'https'; export const send = request;",
  'node:net': "import { connect } from 'node:net'; export const send = connect;",
  'node:dgram': "import { createSocket } from 'node:dgram'; export const send = createSocket;",
  'node:child_process': "import { exec } from 'node:child_process'; export const send = exec;",
  'a package that is a client': "import { io } from 'socket.io-client'; export const send = io;",
  'a package that is not there yet': "import { send } from 'a-client-of-webhooks'; export { send };",
  'a part of the platform that sends': "import { send } from '../../platform/pub-sub.ts'; export { send };",
  'another role': "import { send } from '../../realtime/hub.ts'; export { send };",
};

describe('REPLAY-118 a projection cannot send anything', () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'roomlog-rules-'));
    await put('commands/any.ts', 'export {};');
    await put('projections/any.ts', 'export {};');
    await put('platform/pub-sub.ts', 'export const send = 1;');
    await put('platform/sql.ts', 'export const ask = 1;');
    await put('realtime/hub.ts', 'export const send = 1;');
    await put('node_modules/socket.io-client/package.json', '{"name":"socket.io-client","main":"index.js"}');
    await put('node_modules/socket.io-client/index.js', 'exports.io = 1;');
    await put('package.json', '{"name":"planted","dependencies":{"socket.io-client":"*"}}');
    await copyFile(join(PROJECT_ROOT, 'tsconfig.json'), join(folder, 'tsconfig.json'));
  });

  after(() => rm(folder, { recursive: true }));

  async function put(path: string, text: string): Promise<void> {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }

  /** Names of the rules that the file breaks. */
  async function broken(path: string, text: string): Promise<string[]> {
    await put(path, text);
    try {
      const ruleSet = { forbidden: forbidden ?? [] };
      const options = { baseDir: folder, doNotFollow: { path: 'node_modules' }, tsPreCompilationDeps: true };
      const { output } = await cruise(['projections', 'commands'], { ...options, validate: true, ruleSet });
      const { violations } = (output as ICruiseResult).summary;
      return violations.filter(({ from }) => from === path).map(({ rule }) => rule.name);
    } finally {
      await rm(join(folder, path));
    }
  }

  for (const [what, text] of Object.entries(SENDING)) {
    it(`by ${what}: check:imports refuses it in the folds and in what replays them`, async () => {
      for (const path of ['projections/history/planted.ts', 'projections/replay/planted.ts']) {
        assert.notDeepEqual(await broken(path, text), []);
      }
    });
  }

  it('while what it needs is let through, and other folders are not meant', async () => {
    const harmless =
      "import { once } from 'node:events'; import { ask } from '../../platform/sql.ts'; export { ask, once };";
    assert.deepEqual(await broken('projections/history/planted.ts', harmless), []);
    assert.deepEqual(await broken('commands/planted.ts', SENDING['node:http']), []);
  });

  it('by what needs no import: check:lint refuses that', async () => {
    const eslint = new ESLint({ cwd: PROJECT_ROOT });
    const rulesOf = async (path: string, text: string): Promise<string[]> => {
      const results = await eslint.lintText(text, { filePath: join(PROJECT_ROOT, path) });
      return results.flatMap(({ messages }) => messages.map(({ ruleId }) => ruleId ?? 'no rule'));
    };
    const send = "export const send = async (): Promise<unknown> => fetch('http://example.org');\n";
    const append = 'export const send = (log: { append(): void }): void => log.append();\n';
    const dynamic = "export const send = async (): Promise<unknown> => import('node:http');\n";
    const folds = 'projections/history/fold.ts';
    assert.deepEqual(await rulesOf(folds, send), ['no-restricted-globals']);
    assert.deepEqual(await rulesOf(folds, append), ['no-restricted-syntax']);
    assert.deepEqual(await rulesOf(folds, dynamic), ['no-restricted-syntax']);
    assert.deepEqual(await rulesOf('commands/executor.ts', send), []);
  }).timeout(60_000);
});
