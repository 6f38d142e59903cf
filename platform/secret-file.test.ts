import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { readOrCreateSecret } from './secret-file.ts';

describe('a secret of our own making', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'roomlog-secret-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('is made once, of 32 random bytes, for its owner alone', async () => {
    const file = join(folder, 'new', 'secret');
    const [first, second] = await Promise.all([readOrCreateSecret(file), readOrCreateSecret(file)]);
    assert.match(first, /^[0-9a-f]{64}$/);
    assert.equal(second, first);
    assert.equal((await readFile(file, 'utf8')).trim(), first);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
  });

  it('is never an empty one', async () => {
    const file = join(folder, 'empty');
    await writeFile(file, '\n');
    await assert.rejects(readOrCreateSecret(file), /is empty/);
  });
});
