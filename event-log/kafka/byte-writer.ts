// Writes what Kafka's protocol and its record batches are made of, into one buffer whose size the caller knows an upper bound of.
// kafkajs makes about ten half-kilobyte buffers a record instead; docs/decisions/0004-kafka-fetch.md has the figures.

/** Bytes of the longest varint of 32 bits. */
export const MAX_VARINT_BYTES = 5;

export class ByteWriter {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(maxBytes: number) {
    this.#bytes = Buffer.allocUnsafe(maxBytes);
  }

  get length(): number {
    return this.#at;
  }

  get written(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  int8(value: number): void {
    this.#at = this.#bytes.writeInt8(value, this.#at);
  }

  int16(value: number): void {
    this.#at = this.#bytes.writeInt16BE(value, this.#at);
  }

  int32(value: number): void {
    this.#at = this.#bytes.writeInt32BE(value, this.#at);
  }

  int64(value: number): void {
    this.#at = this.#bytes.writeBigInt64BE(BigInt(value), this.#at);
  }

  /** A zigzag varint of at most 32 bits. */
  varint(value: number): void {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    while (rest > 0x7f) {
      this.#at = this.#bytes.writeUInt8((rest & 0x7f) | 0x80, this.#at);
      rest >>>= 7;
    }
    this.#at = this.#bytes.writeUInt8(rest, this.#at);
  }

  raw(value: Buffer): void {
    this.#at += value.copy(this.#bytes, this.#at);
  }

  utf8(value: string): void {
    this.#at += this.#bytes.write(value, this.#at, 'utf8');
  }

  /** A string after its length as an int16. */
  string(value: string): void {
    this.int16(Buffer.byteLength(value));
    this.utf8(value);
  }

  /** Leaves four bytes to be filled in later by `fillInt32`, and returns where they are. */
  gapInt32(): number {
    this.#at += 4;
    return this.#at - 4;
  }

  fillInt32(at: number, value: number): void {
    this.#bytes.writeUInt32BE(value >>> 0, at);
  }
}

/** How many bytes `varint` writes for a value. */
export function varintBytes(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  if (zigzag < 0x80) return 1;
  if (zigzag < 0x4000) return 2;
  if (zigzag < 0x20_0000) return 3;
  return zigzag < 0x1000_0000 ? 4 : MAX_VARINT_BYTES;
}
