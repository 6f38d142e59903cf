// CRC-32C (Castagnoli), the checksum of Kafka's record batches. Node's zlib has CRC-32 only. Eight bytes a step ("slicing by 8",
// Kounavis and Berry 2005): the byte-wise loop would cost more than all the rest of decoding.

const TABLES = makeTables();

/** The checksum of bytes[start, end), as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES;
  let crc = -1;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const low =
      crc ^ (byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24));
    crc =
      word(t7, low & 0xff) ^
      word(t6, (low >>> 8) & 0xff) ^
      word(t5, (low >>> 16) & 0xff) ^
      word(t4, low >>> 24) ^
      word(t3, byte(bytes, at + 4)) ^
      word(t2, byte(bytes, at + 5)) ^
      word(t1, byte(bytes, at + 6)) ^
      word(t0, byte(bytes, at + 7));
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ word(t0, (crc ^ byte(bytes, at)) & 0xff);
  return ~crc >>> 0;
}

type Tables = [Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array];

/** Table k holds the checksum of a byte followed by k zero bytes. */
function makeTables(): Tables {
  const reflectedPolynomial = 0x82f63b78;
  const first = new Int32Array(256);
  for (let value = 0; value < 256; value++) {
    let crc = value;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ reflectedPolynomial : crc >>> 1;
    first[value] = crc;
  }
  const after = (previous: Int32Array) => previous.map((crc) => (crc >>> 8) ^ word(first, crc & 0xff));
  const second = after(first);
  const third = after(second);
  const fourth = after(third);
  const fifth = after(fourth);
  const sixth = after(fifth);
  const seventh = after(sixth);
  return [first, second, third, fourth, fifth, sixth, seventh, after(seventh)];
}

// Every index above is in range; the engine does not have to be told, the compiler has.
function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function word(table: Int32Array, index: number): number {
  return table[index] ?? 0;
}
