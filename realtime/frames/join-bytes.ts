// Bytes that live for a moment, in memory of their own. Buffer.concat takes small ones from a pool of 8 KiB that they share with
// records and frames which are kept for seconds, and all of it then lives as long as those: measured with 1,000 sockets, half of what
// became old and had to be collected by stopping the world.
export function joinBytes(pieces: readonly Buffer[]): Buffer {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const joined = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}
