// What a check has found wrong. A broken run may break a rule a million times, so of each check only the first ones are kept, and
// the rest are counted.

/** Which rule was broken; docs/spec/faults.md says what each one means. */
export type Check =
  | 'history'
  | 'log'
  | 'decisions'
  | 'commands'
  | 'order'
  | 'frames'
  | 'delivery'
  | 'access'
  | 'tables'
  | 'projection'
  | 'cache';

export type Violation = { check: Check; message: string; details: Record<string, unknown> };

const MAX_KEPT_OF_A_CHECK = 20;

export class Violations {
  readonly #kept: Violation[] = [];
  readonly #countByCheck = new Map<Check, number>();

  add(check: Check, message: string, details: Record<string, unknown>): void {
    const count = (this.#countByCheck.get(check) ?? 0) + 1;
    this.#countByCheck.set(check, count);
    if (count <= MAX_KEPT_OF_A_CHECK) this.#kept.push({ check, message, details });
  }

  /** The first ones of each check, in the order in which they were found. */
  get kept(): Violation[] {
    return [...this.#kept];
  }

  /** Those that were not kept, too. */
  get countByCheck(): ReadonlyMap<Check, number> {
    return this.#countByCheck;
  }
}
