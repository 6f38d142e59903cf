// PostgreSQL's binary COPY format: a signature, rows of length-prefixed fields, an end mark. Integers are big-endian.
import assert from 'node:assert/strict';

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
const FLAGS_AND_EXTENSION = Buffer.alloc(8);
const END_MARK = -1;
const NULL_LENGTH = -1;
const JSONB_FORMAT = 1;
const FIRST_BYTES = 1 << 20;
/** UTF-8 needs at most so many bytes for one unit of a JavaScript string. */
const MAX_BYTES_PER_UNIT = 3;

/** Rows for one COPY, in memory: for a chunk, whose size its maker bounds. */
export class CopyBuffer {
  #buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #at = 0;

  constructor() {
    this.#at += SIGNATURE.copy(this.#buffer, 0);
    this.#at += FLAGS_AND_EXTENSION.copy(this.#buffer, this.#at);
  }

  startRow(fields: number): void {
    this.#reserve(2);
    this.#at = this.#buffer.writeInt16BE(fields, this.#at);
  }

  /** A text with a NUL in it is refused by the server. */
  text(text: string | null): void {
    if (text === null) {
      this.#null();
      return;
    }
    this.#reserve(4 + text.length * MAX_BYTES_PER_UNIT);
    const length = this.#buffer.write(text, this.#at + 4);
    this.#buffer.writeInt32BE(length, this.#at);
    this.#at += 4 + length;
  }

  jsonb(json: string): void {
    this.#reserve(5 + json.length * MAX_BYTES_PER_UNIT);
    const length = this.#buffer.write(json, this.#at + 5);
    this.#buffer.writeInt32BE(length + 1, this.#at);
    this.#buffer[this.#at + 4] = JSONB_FORMAT;
    this.#at += 5 + length;
  }

  /** The number must be a safe integer. */
  bigint(number: number | null): void {
    if (number === null) {
      this.#null();
      return;
    }
    assert.ok(Number.isSafeInteger(number), `${number} is not a safe integer`);
    this.#reserve(12);
    this.#at = this.#buffer.writeInt32BE(8, this.#at);
    const high = Math.floor(number / 2 ** 32);
    this.#at = this.#buffer.writeInt32BE(high, this.#at);
    this.#at = this.#buffer.writeUInt32BE(number - high * 2 ** 32, this.#at);
  }

  /** All rows, ready to be sent; nothing may be added after it. */
  end(): Buffer {
    this.#reserve(2);
    this.#at = this.#buffer.writeInt16BE(END_MARK, this.#at);
    return this.#buffer.subarray(0, this.#at);
  }

  #null(): void {
    this.#reserve(4);
    this.#at = this.#buffer.writeInt32BE(NULL_LENGTH, this.#at);
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}
