// Reads a file of events. It is checked whole before anything is handed out: that it is one, and by its digest that nothing of it is
// missing or changed. One that another build has written is read with the schema inside, and its events become those of this build
// in the way in which records of the log do.
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import avro from 'avsc';
import { type Codec, openCodec } from '../../../event-log/codec/codec.ts';
import type { Decoded } from '../../../event-log/codec/decoders.ts';
import { readSchemaVersions } from '../../../event-log/codec/folder-schemas.ts';
import type { ChatEvent } from '../../../schemas/generated/events.ts';
import { type AvroRecord, EVENT_NAMESPACE } from '../../../schemas/load.ts';
import { UsageError } from '../exits.ts';
import {
  type AvroEntry,
  decodeHeader,
  ENTRY_NAME,
  endDigest,
  entrySchema,
  type FileEntry,
  type FileHeader,
  RAW_BRANCH,
  startDigest,
} from './event-file.ts';

export type EventFile = {
  /** How many there are. */
  entries: number;
  bytes: number;
  read(): AsyncGenerator<FileEntry>;
};

const HEADER_MAX_BYTES = 4 * 1024 * 1024;
/** Ids that schemas of the file have while it is read; no record of a log has them. */
const FIRST_FILE_ID = 2_000_000_000;

/** Throws UsageError. */
export async function openEventFile(path: string): Promise<EventFile> {
  const { header, end, bytes } = await readHeader(path);
  if ((await digestOf(path, header, end)) !== header.sha256)
    throw new UsageError(`${path} is not whole: it was cut off, changed, or is still being written`);
  const toContent = await openContents(path, header.schema);
  async function* read(): AsyncGenerator<FileEntry> {
    const source = createReadStream(path);
    const decoder = new avro.streams.BlockDecoder();
    source.on('error', (error) => decoder.destroy(error));
    source.pipe(decoder);
    try {
      for await (const { partition, offset, key, appendedAt, event } of decoder as AsyncIterable<AvroEntry>) {
        yield { partition, offset, key, appendedAt, content: toContent(event) };
      }
    } catch (error) {
      throw new UsageError(`${path} cannot be read to its end`, { cause: error });
    } finally {
      source.destroy();
      decoder.destroy();
    }
  }
  return { entries: header.entries, bytes, read };
}

async function readHeader(path: string): Promise<{ header: FileHeader; end: number; bytes: number }> {
  const file = await openToRead(path);
  try {
    const { size } = await file.stat();
    const start = Buffer.alloc(Math.min(size, HEADER_MAX_BYTES));
    await file.read(start, 0, start.length, 0);
    const found = headerOrRefuse(path, start);
    if (found === null) throw new UsageError(`${path} is not a file that events export has written`);
    return { ...found, bytes: size };
  } finally {
    await file.close();
  }
}

function headerOrRefuse(path: string, start: Buffer): ReturnType<typeof decodeHeader> {
  try {
    return decodeHeader(start);
  } catch (error) {
    throw new UsageError(`${path} is not an Avro object container file`, { cause: error });
  }
}

async function openToRead(path: string): Promise<FileHandle> {
  try {
    const file = await open(path, 'r');
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (error) {
    throw new UsageError(`${path} cannot be read`, { cause: error });
  }
  throw new UsageError(`${path} is not a file`);
}

async function digestOf(path: string, header: FileHeader, start: number): Promise<string> {
  const digest = startDigest(header);
  for await (const chunk of createReadStream(path, { start }) as AsyncIterable<Buffer>) digest.update(chunk);
  return endDigest(digest, header.entries);
}

type ToContent = (branch: Record<string, unknown>) => FileEntry['content'];

/** How to make this build's events of what entries of that schema hold. Throws UsageError. */
async function openContents(path: string, schemaText: string): Promise<ToContent> {
  if (schemaText === JSON.stringify(entrySchema())) return ownContent;
  const branches = branchesOf(path, schemaText);
  const codec = await openCodecFor(branches.map(({ schema }) => schema));
  const writers = new Map(branches.map(({ name, type }, index) => [name, { id: FIRST_FILE_ID + index, type }]));
  return (branch) => {
    const [name = '', value] = Object.entries(branch)[0] ?? [];
    const writer = writers.get(name);
    if (writer === undefined) return { raw: value as Buffer };
    const bytes = frame(writer.id, writer.type.toBuffer(value));
    const decoded = codec.tryDecode(bytes) as Decoded;
    // An event type that this build does not have: as little an event here as it would be in the log.
    return 'event' in decoded ? decoded : { raw: bytes };
  };
}

function ownContent(branch: Record<string, unknown>): FileEntry['content'] {
  const [name = '', value] = Object.entries(branch)[0] ?? [];
  if (name === RAW_BRANCH) return { raw: value as Buffer };
  const type = name.slice(EVENT_NAMESPACE.length + 1);
  // The schema is this build's own, so what it describes is an event.
  return { event: { type, ...(value as object) } as ChatEvent };
}

type Branch = { name: string; type: avro.Type; schema: AvroRecord };

function branchesOf(path: string, schemaText: string): Branch[] {
  const wrong = `${path} does not hold records of an event log`;
  let entry: avro.Type;
  try {
    entry = avro.Type.forSchema(JSON.parse(schemaText) as avro.Schema);
  } catch (error) {
    throw new UsageError(wrong, { cause: error });
  }
  const field = entry instanceof avro.types.RecordType && entry.name === ENTRY_NAME ? entry.field('event') : undefined;
  if (!(field?.type instanceof avro.types.WrappedUnionType)) throw new UsageError(wrong);
  return field.type.types.flatMap((type) => {
    if (!(type instanceof avro.types.RecordType) || type.name === undefined) return [];
    return [{ name: type.name, type, schema: type.schema({ exportAttrs: true }) as AvroRecord }];
  });
}

/** A codec that knows the file's schemas by the ids that they have while it is read. */
async function openCodecFor(schemas: readonly AvroRecord[]): Promise<Codec> {
  const codec = await openCodec({
    load: async () => readSchemaVersions(),
    find: async (schemaId) => schemas[schemaId - FIRST_FILE_ID] ?? null,
  });
  for (const index of schemas.keys()) await codec.learn(FIRST_FILE_ID + index);
  return codec;
}

/** As the log has it. */
function frame(schemaId: number, content: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeInt32BE(schemaId, 1);
  return Buffer.concat([header, content]);
}
