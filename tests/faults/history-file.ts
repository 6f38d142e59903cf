// A history as it lies in its file, one entry a line: read as a stream, because a long run leaves millions of them.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { HistoryEntry } from './history.ts';

/** The entries in order. Throws where a line is no JSON object with a kind: a history with a hole proves nothing. */
export async function* readHistory(file: string): AsyncGenerator<HistoryEntry> {
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1;
    if (line !== '') yield parseEntry(line, `${file}:${number}`);
  }
}

function parseEntry(line: string, where: string): HistoryEntry {
  try {
    const entry: unknown = JSON.parse(line);
    if (typeof entry === 'object' && entry !== null && 'kind' in entry) return entry as HistoryEntry;
  } catch (error) {
    throw new Error(`${where} is no JSON`, { cause: error });
  }
  throw new Error(`${where} is no entry of a history`);
}
