// An option that is a whole number within bounds.
import { InvalidArgumentError } from 'commander';

/** For commander, which says what is wrong and ends with the exit code of a wrong command line. */
export function countOption(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,15}$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}
