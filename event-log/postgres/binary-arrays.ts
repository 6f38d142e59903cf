// PostgreSQL's binary form of one-dimensional arrays, as bind parameters. The driver's own text form of a bytea array is twice as
// long as the bytes and is escaped and parsed character by character; this one is a copy.

const TEXT_OID = 25;
const BYTEA_OID = 17;
const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;

/** The parameter for `$n::bytea[]`. */
export function toByteaArray(values: readonly Buffer[]): Buffer {
  let bytes = HEADER_BYTES;
  for (const value of values) bytes += LENGTH_BYTES + value.length;
  const array = withHeader(bytes, BYTEA_OID, values.length);
  let at = HEADER_BYTES;
  for (const value of values) {
    at = array.writeInt32BE(value.length, at);
    at += value.copy(array, at);
  }
  return array;
}

/** The parameter for `$n::text[]`. A text with a NUL in it is refused by the server. */
export function toTextArray(texts: readonly string[]): Buffer {
  let bytes = HEADER_BYTES;
  for (const text of texts) bytes += LENGTH_BYTES + Buffer.byteLength(text);
  const array = withHeader(bytes, TEXT_OID, texts.length);
  let at = HEADER_BYTES;
  for (const text of texts) {
    const length = array.write(text, at + LENGTH_BYTES);
    array.writeInt32BE(length, at);
    at += LENGTH_BYTES + length;
  }
  return array;
}

/** One dimension, no nulls, this element type, so many elements, counted from 1. */
function withHeader(bytes: number, elementOid: number, length: number): Buffer {
  const array = Buffer.allocUnsafe(bytes);
  array.writeInt32BE(1, 0);
  array.writeInt32BE(0, 4);
  array.writeInt32BE(elementOid, 8);
  array.writeInt32BE(length, 12);
  array.writeInt32BE(1, 16);
  return array;
}
