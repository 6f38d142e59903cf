// Which partition a stream lies in: Kafka's own default (murmur2 of the key, sign bit cleared, modulo), so that any Kafka
// client finds a stream where we put it. Source of the algorithm: org.apache.kafka.common.utils.Utils.murmur2.

/** The partition of a stream id, 0-based. */
export function partitionOf(stream: string, partitions: number): number {
  return (murmur2(Buffer.from(stream, 'utf8')) & 0x7fffffff) % partitions;
}

export function murmur2(data: Uint8Array): number {
  const multiplier = 0x5bd1e995;
  const length = data.length;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let hash = 0x9747b28c ^ length;
  const whole = length - (length % 4);
  for (let index = 0; index < whole; index += 4) {
    let word = Math.imul(view.getInt32(index, true), multiplier);
    word ^= word >>> 24;
    hash = Math.imul(hash, multiplier) ^ Math.imul(word, multiplier);
  }
  for (let rest = length - whole; rest > 0; rest--) hash ^= view.getUint8(whole + rest - 1) << (8 * (rest - 1));
  if (length !== whole) hash = Math.imul(hash, multiplier);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, multiplier);
  return hash ^ (hash >>> 15);
}
