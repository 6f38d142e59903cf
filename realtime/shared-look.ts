// A look at something that changes, shared by all who want one: a thousand clients that come back at once must not ask the log a
// thousand times where it ends.

export class SharedLook<Seen> {
  readonly #look: () => Promise<Seen>;
  #current: Promise<Seen> | null = null;
  #next: Promise<Seen> | null = null;

  constructor(look: () => Promise<Seen>) {
    this.#look = look;
  }

  /** What is seen by a look that begins with this call or after it. At most one look waits for another one to end. */
  take(): Promise<Seen> {
    if (this.#current === null) return this.#begin();
    // The one under way may have looked before this call. All who come until it ends share the one behind it.
    this.#next ??= this.#current.then(
      () => this.#begin(),
      () => this.#begin(),
    );
    return this.#next;
  }

  #begin(): Promise<Seen> {
    this.#next = null;
    const looking = this.#look().finally(() => {
      if (this.#current === looking) this.#current = null;
    });
    this.#current = looking;
    return looking;
  }
}
