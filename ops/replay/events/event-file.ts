// Events in a file: an Avro object container file, which any Avro tool reads, with its schema inside. Beside what Avro wants, the
// header says how many entries there are and the SHA-256 of all that matters: a container that was cut off between two blocks
// looks whole otherwise. Both are filled in at the end, in the space that was left for them.
import { createHash, type Hash, randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import avro from 'avsc';
import type { ChatEvent } from '../../../schemas/generated/events.ts';
import { EVENT_NAMESPACE, loadEventUnion } from '../../../schemas/load.ts';

/** `raw`: the bytes of a record that is no event for the build that wrote the file. */
export type FileEntry = {
  partition: number;
  offset: number;
  key: string;
  appendedAt: number;
  content: { event: ChatEvent } | { raw: Buffer };
};

export type FileHeader = { schema: string; sync: Buffer; entries: number; sha256: string };

/** What Avro has a name for. A union of records is written and read as an object of one property, the name of the branch. */
export type AvroEntry = Omit<FileEntry, 'content'> & { event: Record<string, unknown> };

export const ENTRY_NAME = 'roomlog.log.LogEntry';
export const RAW_BRANCH = 'bytes';
/** Uncompressed bytes of a block: what a reader holds at a time. */
const BLOCK_BYTES = 256 * 1024;
const MAGIC = Buffer.from('Obj\x01', 'latin1');
const CODEC = 'deflate';
const ENTRIES_DIGITS = 16;
const NO_DIGEST = '0'.repeat(64);

/** The schema of files that this build writes. */
export function entrySchema(): avro.Schema {
  const events = loadEventUnion();
  const schema = {
    type: 'record',
    name: ENTRY_NAME,
    doc: 'A record of the event log that counts.',
    fields: [
      { name: 'partition', type: 'int', doc: 'The partition that it lay in.' },
      { name: 'offset', type: 'long', doc: 'Its offset there. Offsets have gaps where records do not count.' },
      { name: 'key', type: 'string', doc: 'The stream id.' },
      {
        name: 'appendedAt',
        type: { type: 'long', logicalType: 'timestamp-millis' },
        doc: 'When the log took it, in milliseconds since 1970 UTC.',
      },
      {
        name: 'event',
        type: [...events, RAW_BRANCH],
        doc: 'The event in the shape of the newest schema; the bytes as they lay there where they are no event.',
      },
    ],
  };
  // avsc's own type of schemas does not know that records may have a doc.
  return schema as unknown as avro.Schema;
}

const HEADER = avro.Type.forSchema({
  type: 'record',
  name: 'roomlog.log.Header',
  fields: [
    { name: 'magic', type: { type: 'fixed', name: 'Magic', size: 4 } },
    { name: 'meta', type: { type: 'map', values: 'bytes' } },
    { name: 'sync', type: { type: 'fixed', name: 'Sync', size: 16 } },
  ],
});

/**
 * Writes the entries to a file of another name in the same folder, and gives it this name when all are on the disk: whatever
 * happens, under the name itself there is the whole file or what was there before.
 */
export async function writeEventFile(
  path: string,
  entries: AsyncIterable<FileEntry>,
): Promise<{ entries: number; bytes: number }> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.part`;
  const file = await open(temporary, 'wx');
  try {
    const written = await writeContainer(file, entries).finally(() => file.close());
    await rename(temporary, path);
    return written;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeContainer(
  file: FileHandle,
  entries: AsyncIterable<FileEntry>,
): Promise<{ entries: number; bytes: number }> {
  const schema = entrySchema();
  const header: FileHeader = {
    schema: JSON.stringify(schema),
    sync: randomBytes(16),
    entries: 0,
    sha256: NO_DIGEST,
  };
  const draft = encodeHeader(header);
  await file.write(draft, 0, draft.length, 0);
  const digest = startDigest(header);
  let [count, bytes] = [0, draft.length];
  async function* toAvro(): AsyncGenerator<AvroEntry> {
    for await (const { content, ...entry } of entries) {
      count += 1;
      yield { ...entry, event: toBranch(content) };
    }
  }
  const encoder = new avro.streams.BlockEncoder(schema, {
    codec: CODEC,
    blockSize: BLOCK_BYTES,
    syncMarker: header.sync,
    writeHeader: 'never',
  });
  await pipeline(Readable.from(toAvro()), encoder, async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      digest.update(chunk);
      await file.write(chunk, 0, chunk.length, bytes);
      bytes += chunk.length;
    }
  });
  const whole = encodeHeader({ ...header, entries: count, sha256: endDigest(digest, count) });
  await file.write(whole, 0, whole.length, 0);
  await file.sync();
  return { entries: count, bytes };
}

function toBranch(content: FileEntry['content']): Record<string, unknown> {
  return 'raw' in content
    ? { [RAW_BRANCH]: content.raw }
    : { [`${EVENT_NAMESPACE}.${content.event.type}`]: content.event };
}

/** The digest of the schema, all that follows the header, and the number of entries. */
export function startDigest({ schema }: Pick<FileHeader, 'schema'>): Hash {
  return createHash('sha256').update(schema);
}

export function endDigest(digest: Hash, entries: number): string {
  return digest.update(String(entries)).digest('hex');
}

/** Of the same length whatever the number of entries and the digest. */
function encodeHeader({ schema, sync, entries, sha256 }: FileHeader): Buffer {
  const meta = {
    'avro.codec': CODEC,
    'roomlog.entries': String(entries).padStart(ENTRIES_DIGITS, '0'),
    'roomlog.sha256': sha256,
    'avro.schema': schema,
  };
  const bytes = Object.entries(meta).map(([name, text]) => [name, Buffer.from(text)]);
  return HEADER.toBuffer({ magic: MAGIC, meta: Object.fromEntries(bytes), sync });
}

/** The header that the bytes begin with and where it ends, null where it is not one of ours. Throws where it is none of Avro's. */
export function decodeHeader(bytes: Buffer): { header: FileHeader; end: number } | null {
  const { value, offset } = HEADER.decode(bytes) as {
    value: { magic: Buffer; meta: Record<string, Buffer>; sync: Buffer };
    offset: number;
  };
  if (offset < 0 || !value.magic.equals(MAGIC)) throw new RangeError('the bytes are no header');
  const texts = ['avro.codec', 'roomlog.entries', 'roomlog.sha256', 'avro.schema'].map((name) =>
    value.meta[name]?.toString(),
  );
  const [codec, entries, sha256, schema] = texts;
  if (codec !== CODEC || entries === undefined || sha256 === undefined || schema === undefined) return null;
  return { header: { schema, sync: value.sync, entries: Number(entries), sha256 }, end: offset };
}
