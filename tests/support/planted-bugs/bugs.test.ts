import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, it } from 'mocha';
import { PROJECT_ROOT, sources } from '../sources.ts';
import { PLANTED_BUGS } from './bugs.ts';

const PLANT = join(PROJECT_ROOT, 'tests/support/planted-bugs/plant.ts');
const RULE = new URL('../../../event-log/kafka/record-batch.ts', import.meta.url).href;

describe('planted bugs', () => {
  it('SIM-20 each replaces a piece of source that stands in its file exactly once', () => {
    const misfits = PLANTED_BUGS.flatMap(({ name, file, find, replace }) => {
      const pieces = (sources(file)[0]?.text ?? '').split(find).length - 1;
      return pieces === 1 && find !== replace ? [] : [`${name}: ${pieces} times in ${file}`];
    });
    assert.deepEqual(misfits, []);
  });

  it('no two have one name', () => {
    const names = PLANTED_BUGS.map(({ name }) => name);
    assert.deepEqual(
      names.filter((name, index) => names.indexOf(name) !== index),
      [],
    );
  });

  it('SIM-21 a bug is there in a process that names it, and only there; a name that is not listed ends the process', async () => {
    assert.equal(await countReadRecords('reads-void-records'), 1);
    assert.equal(await countReadRecords(''), 0);
    await assert.rejects(countReadRecords('no-such-bug'), /there is no bug of the name no-such-bug/);
  });
});

/** How many records a process of its own, with that bug, reads of a batch that is void. */
async function countReadRecords(bug: string): Promise<number> {
  const program = `
    const { encodeAppend, decodeBatches } = await import(${JSON.stringify(RULE)});
    const bytes = encodeAppend([{ key: 'room-1', value: Buffer.from('void') }], 7, 0);
    console.log(decodeBatches(bytes, 0, bytes.length, 0).records.length);`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', PLANT, '--input-type=module', '--eval', program],
    { env: { PLANTED_BUG: bug } },
  );
  return Number(stdout);
}
