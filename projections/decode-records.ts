// The codec as projectors want it: one content a record, and the reason where there is none.
import type { Codec } from '../event-log/codec/codec.ts';
import { type DecodedRecord, decodeBatch } from '../event-log/codec/decode-batch.ts';
import type { LogRecord } from '../event-log/event-log.ts';
import type { ProjectedRecord } from './sink.ts';

/**
 * What the records say, one content a record, in order. Throws an error with `retryable` where that cannot be known now, for
 * example because the schema registry is away: to call those records poison would be wrong.
 */
export type Decode = (records: readonly LogRecord[]) => Promise<ProjectedRecord['content'][]>;

export function decodeWith(codec: Codec): Decode {
  return async (records) => {
    const batch = await decodeBatch(codec, { partition: 0, records, nextOffset: 0, head: 0 });
    return batch.records.map(toContent);
  };
}

function toContent(record: DecodedRecord): ProjectedRecord['content'] {
  if ('event' in record) return { event: record.event };
  if ('undecodable' in record) return { fault: record.undecodable.message };
  return { fault: `this build knows no event type ${record.unknownType}` };
}
