// Which bug a process is to run with.
import { PLANTED_BUGS, type PlantedBug } from './bugs.ts';

/** The bug that PLANTED_BUG names; null where it is not set. A name that is on no list throws: the run would prove nothing. */
export function plantedBug(): PlantedBug | null {
  const { PLANTED_BUG: name = '' } = process.env;
  if (name === '') return null;
  const bug = PLANTED_BUGS.find((one) => one.name === name);
  if (bug === undefined) throw new Error(`PLANTED_BUG: there is no bug of the name ${name}`);
  return bug;
}
