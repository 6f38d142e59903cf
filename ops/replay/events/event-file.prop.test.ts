import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { after, before, describe, it } from 'mocha';
import type { ChatEvent } from '../../../schemas/generated/events.ts';
import { arbitraryEvent } from '../../../tests/support/arbitraries.ts';
import { earlierEvents, goldenEvents } from '../../../tests/support/golden-events.ts';
import { UsageError } from '../exits.ts';
import { type FileEntry, writeEventFile } from './event-file.ts';
import { openEventFile } from './read-event-file.ts';

/** What the file of the first build holds: written once, and never again. */
const GOLDEN_FILE = new URL('../../../tests/golden/export-v1.avro', import.meta.url).pathname;

const WRITTEN_TYPES = [
  'RoomCreated',
  'RoomDetailsChanged',
  'MemberInvited',
  'MemberJoined',
  'MessageSent',
  'MemberLeft',
  'RoomArchived',
];

const arbitraryEntry: fc.Arbitrary<FileEntry> = fc.record({
  partition: fc.nat(1_023),
  offset: fc.nat(2 ** 40),
  key: fc.string({ unit: 'grapheme', maxLength: 20 }),
  appendedAt: fc.integer({ min: 0, max: 2 ** 43 }),
  content: fc.oneof(
    { weight: 5, arbitrary: fc.record({ event: arbitraryEvent }) },
    { weight: 1, arbitrary: fc.record({ raw: fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)) }) },
  ),
});

describe('a file of events', () => {
  let folder: string;
  let path: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'roomlog-events-'));
    path = join(folder, 'events.avro');
  });

  after(() => rm(folder, { recursive: true }));

  async function readAll(file: string): Promise<FileEntry[]> {
    const entries: FileEntry[] = [];
    for await (const entry of (await openEventFile(file)).read()) entries.push(entry);
    return entries;
  }

  it('LAW: REPLAY-85 what was written is read, in its order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(arbitraryEntry, { maxLength: 40 }), async (entries) => {
        const written = await writeEventFile(path, each(entries));
        assert.equal(written.entries, entries.length);
        assert.equal(written.bytes, (await readFile(path)).length);
        assert.equal((await openEventFile(path)).entries, entries.length);
        assert.deepEqual((await readAll(path)).map(plain), entries.map(plain));
      }),
      { numRuns: 40 },
    );
  });

  it('REPLAY-85 holds more than one block', async () => {
    const entries = fc.sample(arbitraryEntry, { numRuns: 3_000, seed: 7 });
    await writeEventFile(path, each(entries));
    assert.deepEqual((await readAll(path)).map(plain), entries.map(plain));
  });

  it('LAW: REPLAY-88 a file that was cut off or changed anywhere is refused', async () => {
    const entries = fc.sample(arbitraryEntry, { numRuns: 300, seed: 7 });
    await writeEventFile(path, each(entries));
    const bytes = await readFile(path);
    const damaged = join(folder, 'damaged.avro');
    const isRefused = async (content: Buffer): Promise<void> => {
      await writeFile(damaged, content);
      await assert.rejects(readAll(damaged), UsageError);
    };
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), (length) => isRefused(bytes.subarray(0, length))),
      { numRuns: 30, examples: [[0], [bytes.length - 1], [bytes.length - 16]] },
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), (at) => {
        const copy = Buffer.from(bytes);
        copy[at] = (copy[at] ?? 0) ^ 1;
        return isRefused(copy);
      }),
      { numRuns: 30 },
    );
    await isRefused(Buffer.concat([bytes, Buffer.from([0])]));
  });

  it('REPLAY-86 leaves what was there, and nothing else, when it cannot be written to its end', async () => {
    await copyFile(GOLDEN_FILE, path);
    const before = (await readdir(folder)).sort();
    async function* breaking(): AsyncGenerator<FileEntry> {
      yield* fc.sample(arbitraryEntry, { numRuns: 50, seed: 7 });
      throw new Error('the log is away');
    }
    await assert.rejects(writeEventFile(path, breaking()), /the log is away/);
    assert.deepEqual((await readdir(folder)).sort(), before);
    assert.deepEqual(await readFile(path), await readFile(GOLDEN_FILE));
  });

  it('REPLAY-90 reads a file that the first build wrote, as events of today', async () => {
    const entries = await readAll(GOLDEN_FILE);
    const today: Record<string, ChatEvent> = { ...goldenEvents, ...earlierEvents['events-v1.json'] };
    assert.deepEqual(
      entries.map(({ content }) => plain(content)),
      WRITTEN_TYPES.map((type) => plain({ event: today[type] })),
    );
    assert.partialDeepStrictEqual(entries[1], { partition: 1, offset: 1, appendedAt: 1_688_000_000_001 });
  });
});

async function* each<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items;
}

/** Without the prototypes that decoding gives, which nobody sees; text that is no Unicode is not kept by UTF-8. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, part: unknown) => (typeof part === 'string' ? part.toWellFormed() : part)),
  );
}
