// The newest version of each room that anybody had seen at this moment of the history. All clients live in one process, so whatever
// is asked for afterwards is decided on that version or a later one: where it is not, a node has decided on a stale state.

export class SeenVersions {
  readonly #versionByRoom = new Map<string, number>();

  saw(roomId: string, version: number): void {
    if (version > this.of(roomId)) this.#versionByRoom.set(roomId, version);
  }

  /** 0 where nobody has seen anything of the room. */
  of(roomId: string): number {
    return this.#versionByRoom.get(roomId) ?? 0;
  }
}
