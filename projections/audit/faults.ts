// What an audit has found, bounded: the first faults are told, all are counted.

export type Fault = {
  /** Where it is: in the log itself, in the tables, or in the hot cache. */
  place: 'log' | 'history' | 'cache';
  /** Of the record it is about; null where no record is to blame. */
  offset: number | null;
  what: string;
};

const MAX_TOLD = 100;

export class Faults {
  readonly told: Fault[] = [];
  count = 0;

  add(place: Fault['place'], offset: number | null, what: string): void {
    this.count += 1;
    if (this.told.length < MAX_TOLD) this.told.push({ place, offset, what });
  }
}
