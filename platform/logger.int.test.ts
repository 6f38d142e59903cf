import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'mocha';

/* Logs until its reader has gone, and for a while on, then ends in an orderly way. */
const TALKER = `
  import { createLogger } from ${JSON.stringify(new URL('logger.ts', import.meta.url).href)};
  const logger = createLogger('talker', 'info');
  process.once('SIGTERM', () => { logger.info('the last word'); process.exit(0); });
  setInterval(() => { for (let n = 0; n < 100; n++) logger.info({ n }, 'a word among many'); }, 5);`;

describe('the logger', () => {
  it('does not keep a process from ending whose reader has gone', async () => {
    const talker = spawn(process.execPath, ['--input-type=module', '--eval', TALKER], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const closed = once(talker, 'exit');
    await once(talker.stdout, 'data');
    talker.stdout.destroy();
    talker.kill('SIGTERM');
    const [code] = await closed;
    assert.equal(code, 0);
  });

  it('says its last words before an exit', async () => {
    const talker = spawn(process.execPath, ['--input-type=module', '--eval', TALKER], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let heard = '';
    talker.stdout.on('data', (chunk: Buffer) => {
      heard += chunk.toString('utf8');
    });
    await once(talker.stdout, 'data');
    talker.kill('SIGTERM');
    await once(talker, 'close');
    assert.match(heard.trimEnd().split('\n').at(-1) ?? '', /the last word/);
  });
});
