// `PLANTED_BUG=<name> node --import ./tests/support/planted-bugs/plant.ts <program>` runs the program with that bug: one piece of
// one file's source is another while it is loaded, and on the disk nothing changes. Without PLANTED_BUG it runs as it is.
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import type { PlantedBug } from './bugs.ts';
import { plantedBug } from './config.ts';

const ROOT = new URL('../../../', import.meta.url);

plant(plantedBug());

function plant(bug: PlantedBug | null): void {
  const target = bug === null ? null : new URL(bug.file, ROOT).href;
  if (bug !== null) assertFits(bug);
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (bug === null || url !== target) return loaded;
      return { ...loaded, source: String(loaded.source).replace(bug.find, () => bug.replace) };
    },
  });
}

/** Thrown before the program begins: a bug that was never planted must not count as one that nobody found. */
function assertFits({ name, file, find }: PlantedBug): void {
  const pieces = readFileSync(new URL(file, ROOT), 'utf8').split(find).length - 1;
  if (pieces !== 1) throw new Error(`${name}: its piece of source is ${pieces} times in ${file}, not once`);
}
