// PostgreSQL's binary form of one-dimensional arrays, as bind parameters. The driver's own text form of a bytea array is twice as
// long as the bytes and is escaped and parsed character by character; this one is a copy.
import assert from 'node:assert/strict';

const TEXT_OID = 25;
const BIGINT_OID = 20;
const BYTEA_OID = 17;
const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;
const BIGINT_BYTES = 8;
const NULL_LENGTH = -1;

/** The parameter for `$n::bytea[]`. */
export function toByteaArray(values: readonly (Buffer | null)[]): Buffer {
  let bytes = HEADER_BYTES;
  for (const value of values) bytes += LENGTH_BYTES + (value?.length ?? 0);
  const array = withHeader(bytes, BYTEA_OID, values.length);
  let at = HEADER_BYTES;
  for (const value of values) {
    if (value === null) {
      at = writeNull(array, at);
      continue;
    }
    at = array.writeInt32BE(value.length, at);
    at += value.copy(array, at);
  }
  return array;
}

/** The parameter for `$n::text[]`. A text with a NUL in it is refused by the server. */
export function toTextArray(texts: readonly (string | null)[]): Buffer {
  let bytes = HEADER_BYTES;
  for (const text of texts) bytes += LENGTH_BYTES + (text === null ? 0 : Buffer.byteLength(text));
  const array = withHeader(bytes, TEXT_OID, texts.length);
  let at = HEADER_BYTES;
  for (const text of texts) {
    if (text === null) {
      at = writeNull(array, at);
      continue;
    }
    const length = array.write(text, at + LENGTH_BYTES);
    array.writeInt32BE(length, at);
    at += LENGTH_BYTES + length;
  }
  return array;
}

/** The parameter for `$n::bigint[]`. The numbers must be safe integers. */
export function toBigintArray(numbers: readonly (number | null)[]): Buffer {
  const nulls = numbers.reduce<number>((count, number) => count + (number === null ? 1 : 0), 0);
  const bytes = HEADER_BYTES + numbers.length * (LENGTH_BYTES + BIGINT_BYTES) - nulls * BIGINT_BYTES;
  const array = withHeader(bytes, BIGINT_OID, numbers.length);
  let at = HEADER_BYTES;
  for (const number of numbers) {
    if (number === null) {
      at = writeNull(array, at);
      continue;
    }
    assert.ok(Number.isSafeInteger(number), `${number} is not a safe integer`);
    at = array.writeInt32BE(BIGINT_BYTES, at);
    at = array.writeInt32BE(Math.floor(number / 2 ** 32), at);
    // The low half in two's complement, which is what a remainder to the power of two is for negative numbers too.
    at = array.writeUInt32BE(number - Math.floor(number / 2 ** 32) * 2 ** 32, at);
  }
  return array;
}

/** The server takes a null wherever it finds one; the header's flag for them is only a hint. */
function writeNull(array: Buffer, at: number): number {
  return array.writeInt32BE(NULL_LENGTH, at);
}

/** One dimension, this element type, so many elements, counted from 1. */
function withHeader(bytes: number, elementOid: number, length: number): Buffer {
  const array = Buffer.allocUnsafe(bytes);
  array.writeInt32BE(1, 0);
  array.writeInt32BE(0, 4);
  array.writeInt32BE(elementOid, 8);
  array.writeInt32BE(length, 12);
  array.writeInt32BE(1, 16);
  return array;
}
