// What readers of the log call: a batch of records in, the same batch with events out.
import type { LogBatch } from '../event-log.ts';
import type { Codec } from './codec.ts';
import { DecodeError } from './decode-errors.ts';
import type { Decoded } from './decoders.ts';

/** A record that counts, decoded. Which of the three it is, `'event' in record` and so on tells. */
export type DecodedRecord = { offset: number; key: string; appendedAt: number } & Decoded;

/** As LogBatch, see there; the bytes of a poison record are still in `batch.records[index].value` of the batch it came from. */
export type DecodedBatch = { partition: number; records: readonly DecodedRecord[]; nextOffset: number; head: number };

/**
 * Decodes every record; one that cannot be decoded is `undecodable`, and the others are not touched by it. Waits only where a
 * schema has to be learnt. Throws SchemaSourceError when that cannot be had now: the batch is to be tried again, because to
 * call its records poison would be wrong.
 */
export async function decodeBatch(codec: Codec, batch: LogBatch): Promise<DecodedBatch> {
  const { partition, nextOffset, head } = batch;
  const records: DecodedRecord[] = [];
  for (const { offset, key, value, appendedAt } of batch.records) {
    const tried = codec.tryDecode(value);
    const decoded = 'unknownSchema' in tried ? await learnAndDecode(codec, tried.unknownSchema, value) : tried;
    records.push({ offset, key, appendedAt, ...decoded });
  }
  return { partition, records, nextOffset, head };
}

/** Decodes one record's value, as decodeBatch does. */
export async function decodeValue(codec: Codec, value: Buffer): Promise<Decoded> {
  const tried = codec.tryDecode(value);
  return 'unknownSchema' in tried ? learnAndDecode(codec, tried.unknownSchema, value) : tried;
}

async function learnAndDecode(codec: Codec, schemaId: number, value: Buffer): Promise<Decoded> {
  await codec.learn(schemaId);
  const tried = codec.tryDecode(value);
  // Forgotten again before it was used: more ids are being learnt at a time than are kept, which only a poisoned log has.
  if ('unknownSchema' in tried) return { undecodable: new DecodeError('no_such_schema', schemaId) };
  return tried;
}
