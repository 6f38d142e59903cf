// Reads what Kafka's protocol and its record batches are made of. One pass, no copies: byte ranges are views of the response.
import assert from 'node:assert/strict';

export class ByteReader {
  readonly bytes: Buffer;
  /** The next byte to be read. */
  at: number;

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  int8(): number {
    const value = this.bytes.readInt8(this.at);
    this.at += 1;
    return value;
  }

  int16(): number {
    const value = this.bytes.readInt16BE(this.at);
    this.at += 2;
    return value;
  }

  int32(): number {
    const value = this.bytes.readInt32BE(this.at);
    this.at += 4;
    return value;
  }

  /** Offsets and times become numbers here and nowhere else; one beyond 2^53 is a bug or not a Kafka broker. */
  int64(): number {
    const value = this.bytes.readInt32BE(this.at) * 0x1_0000_0000 + this.bytes.readUInt32BE(this.at + 4);
    assert.ok(Number.isSafeInteger(value), `${value} is no safe integer`);
    this.at += 8;
    return value;
  }

  /** A zigzag varint of at most 32 bits. */
  varint(): number {
    let value = 0;
    let shift = 0;
    let byte: number;
    do {
      byte = this.bytes.readUInt8(this.at++);
      value |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte > 0x7f);
    return (value >>> 1) ^ -(value & 1);
  }

  skipVarint(): void {
    while (this.bytes.readUInt8(this.at++) > 0x7f);
  }

  skip(length: number): void {
    this.at += length;
  }

  /** A string whose length is an int16; null when the length is -1. */
  string(): string | null {
    const length = this.int16();
    if (length < 0) return null;
    this.at += length;
    return this.bytes.toString('utf8', this.at - length, this.at);
  }

  /** Bytes whose length is an int32; none when the length is -1. */
  byteArray(): Buffer {
    const length = Math.max(this.int32(), 0);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}
