// Reads a recorded chat: one JSON object a line, gzipped or not. The file is read twice, because a fault in its last line should
// be known before its first is sent, and because progress needs to know how much there is; it is never held as a whole.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { z } from 'zod';

export type ChatLine = {
  /** 0-based, as replyTo counts. */
  line: number;
  room: string;
  /** RFC 3339 in UTC. */
  at: string;
  type: 'message' | 'action' | 'join' | 'leave';
  user: string;
  /** Empty for join and leave, and for the few messages that are empty. */
  text: string;
  /** The line answered, or null. */
  replyTo: number | null;
};

/** What a whole file holds. `fileId` follows from its unpacked bytes, so a file that was packed again is still the same one. */
export type ChatSurvey = {
  fileId: string;
  lines: number;
  rooms: string[];
  countByType: Record<ChatLine['type'], number>;
};

/** The file cannot be read, or is not what it should be; the message says where. */
export class ChatFileError extends Error {
  override readonly name = 'ChatFileError';
  readonly code = 'bad_chat_file';
  readonly retryable = false;
}

/** Reads all of it and checks every line. Throws ChatFileError. */
export async function surveyChatFile(path: string): Promise<ChatSurvey> {
  const hash = createHash('sha256');
  const rooms = new Set<string>();
  const countByType = { message: 0, action: 0, join: 0, leave: 0 };
  let lines = 0;
  for await (const batch of readChatLines(path, (bytes) => hash.update(bytes))) {
    for (const { room, type } of batch) {
      rooms.add(room);
      countByType[type] += 1;
      lines += 1;
    }
  }
  if (lines === 0) throw new ChatFileError(`${path} is empty`);
  return { fileId: hash.digest('hex').slice(0, 16), lines, rooms: [...rooms], countByType };
}

/** The lines in order, in batches as they come from the disk. Throws ChatFileError at the first that is not well-formed. */
export async function* readChatLines(path: string, onBytes?: (bytes: Buffer) => void): AsyncGenerator<ChatLine[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  let line = 0;
  try {
    for await (const bytes of unpackedBytes(path)) {
      onBytes?.(bytes);
      const texts = (rest + decoder.decode(bytes, { stream: true })).split('\n');
      rest = texts.pop() ?? '';
      if (rest.length > MAX_LINE_CHARACTERS) throw new ChatFileError(`${path}:${line + texts.length + 1} is too long`);
      yield texts.map((text) => parseLine(path, line++, text));
    }
    rest += decoder.decode();
  } catch (error) {
    if (error instanceof ChatFileError) throw error;
    throw new ChatFileError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  if (rest !== '') yield [parseLine(path, line, rest)];
}

/** A line longer than this holds nothing that a message could hold. */
const MAX_LINE_CHARACTERS = 64 * 1024;
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);

const LineShape = z.object({
  room: z.string().min(1),
  at: z.iso.datetime(),
  type: z.enum(['message', 'action', 'join', 'leave']),
  user: z.string().min(1),
  text: z.string().optional(),
  replyTo: z.int().min(0).nullable().optional(),
});

async function* unpackedBytes(path: string): AsyncGenerator<Buffer> {
  const file = createReadStream(path, { highWaterMark: 256 * 1024 });
  let unpacked: AsyncIterable<Buffer> = file;
  const chunks = file[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const first = await chunks.next();
  if (first.done === true) return;
  const whole = startingWith(first.value, chunks);
  if (!first.value.subarray(0, 2).equals(GZIP_MAGIC)) {
    yield* whole;
    return;
  }
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  unpacked = gunzip;
  // A fault of either side ends both; the reader of `gunzip` is the one who is told.
  pipeline(whole, gunzip).catch((error: Error) => gunzip.destroy(error));
  yield* unpacked;
}

async function* startingWith(first: Buffer, others: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  for (let next = await others.next(); next.done !== true; next = await others.next()) yield next.value;
}

function parseLine(path: string, line: number, text: string): ChatLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ChatFileError(`${path}:${line + 1} is not JSON`, { cause: error });
  }
  const parsed = LineShape.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ChatFileError(
      `${path}:${line + 1} ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'is not a chat line'}`,
    );
  }
  const { room, at, type, user, text: said, replyTo } = parsed.data;
  return { line, room, at, type, user, text: said ?? '', replyTo: replyTo ?? null };
}
