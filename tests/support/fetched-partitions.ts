// What clients of Kafka asked for, read out of the bytes that a proxy has seen them say.
import { ByteReader } from '../../event-log/kafka/byte-reader.ts';

const FETCH = 1;

/** How many fetches asked for each partition, in requests as event-log/kafka/requests.ts writes them. */
export function fetchesByPartition(recordings: readonly Buffer[]): Map<number, number> {
  const fetches = new Map<number, number>();
  for (const recording of recordings) {
    for (const request of requestsOf(recording)) {
      for (const partition of fetchedPartitions(request)) fetches.set(partition, (fetches.get(partition) ?? 0) + 1);
    }
  }
  return fetches;
}

/** Every request is preceded by its length; the last one may have been cut off. */
function* requestsOf(recording: Buffer): Generator<Buffer> {
  for (let at = 0; at + 4 <= recording.length; ) {
    const end = at + 4 + recording.readInt32BE(at);
    if (end > recording.length) return;
    yield recording.subarray(at + 4, end);
    at = end;
  }
}

function fetchedPartitions(request: Buffer): number[] {
  const reader = new ByteReader(request);
  if (reader.int16() !== FETCH) return [];
  reader.skip(2 + 4); // version, correlation
  reader.skip(reader.int16()); // client id
  reader.skip(4 + 4 + 4 + 4 + 1 + 4 + 4 + 4); // replica, waiting, bytes, isolation, session, one topic
  reader.skip(reader.int16());
  const count = reader.int32();
  return Array.from({ length: count }, () => {
    const partition = reader.int32();
    reader.skip(4 + 8 + 8 + 4); // epoch, offset, log start, bytes
    return partition;
  });
}
