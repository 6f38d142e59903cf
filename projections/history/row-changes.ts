// What a run of additions and removals does to rows that are there or not. Applying it is: delete all of `removed`, then insert
// all of `added` that are not there. A row that is there when it is added again stays as it is, in the run and in the table
// alike; so a run means the same however it is cut.

export type RowKey = readonly [roomId: string, userId: string];

export class RowChanges<Row> {
  readonly #removed = new Map<string, RowKey>();
  readonly #added = new Map<string, Row>();

  add(key: RowKey, row: Row): void {
    const id = JSON.stringify(key);
    if (!this.#added.has(id)) this.#added.set(id, row);
  }

  remove(key: RowKey): void {
    const id = JSON.stringify(key);
    this.#added.delete(id);
    this.#removed.set(id, key);
  }

  get removed(): RowKey[] {
    return [...this.#removed.values()];
  }

  get added(): Row[] {
    return [...this.#added.values()];
  }
}
