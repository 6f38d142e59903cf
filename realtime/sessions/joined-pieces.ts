// Several pieces as one. Sockets that are written to one after the other mostly have the same pieces waiting, those of their room: these
// are joined once, and all share the bytes.
import { joinBytes } from '../frames/join-bytes.ts';

export class JoinedPieces {
  #pieces: readonly Buffer[] = [];
  #bytes: Buffer = Buffer.alloc(0);

  of(pieces: readonly Buffer[]): Buffer {
    if (!isSame(pieces, this.#pieces)) {
      this.#pieces = pieces;
      this.#bytes = joinBytes(pieces);
    }
    return this.#bytes;
  }
}

function isSame(some: readonly Buffer[], others: readonly Buffer[]): boolean {
  return some.length === others.length && some.every((piece, index) => piece === others[index]);
}
