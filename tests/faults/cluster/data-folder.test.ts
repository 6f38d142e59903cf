import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, it } from 'mocha';
import { identityOf } from '../../../platform/process-identity.ts';
import { makeDataFolder, removeDataFolder } from './data-folder.ts';
import { mountSmallDisk } from './small-disk.ts';

describe("servers' data of a fault run", () => {
  it('FLT-37 what a killed run left is removed by the next one, its disk too; what a living one has, and histories, stay', async () => {
    const root = await mkdtemp(join(tmpdir(), 'roomlog-data-folders-'));
    try {
      const said: string[] = [];
      const living = await makeDataFolder(root, (line) => said.push(line));
      const killed = await makeDataFolder(root, (line) => said.push(line));
      await mountSmallDisk(join(killed, 'disk'), () => undefined);
      await writeFile(join(killed, 'disk', 'log'), 'x');
      await writeFile(join(killed, 'owner.json'), JSON.stringify(await identityOfOneThatEnded()));
      await mkdir(join(root, 'roomlog-faults-seed'));
      assert.equal(said.length, 0);

      const next = await makeDataFolder(root, (line) => said.push(line));
      assert.deepEqual(said, [`removing ${killed}: its run is gone`]);
      assert.deepEqual(
        new Set(await readdir(root)),
        new Set([basename(living), basename(next), 'roomlog-faults-seed']),
      );
      await removeDataFolder(next);
    } finally {
      await rm(root, { recursive: true });
    }
  });
});

async function identityOfOneThatEnded() {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
  const exited = once(child, 'exit');
  const identity = await identityOf(child.pid ?? 0);
  child.kill('SIGKILL');
  await exited;
  return identity;
}
