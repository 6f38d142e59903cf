// Says recorded PostgreSQL connections again. Their handshakes hold secrets that are good for once, so each is replayed from
// behind its own handshake on a connection that has authenticated anew.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import pg from 'pg';

/** Replays what each recorded client said after its handshake; resolves to the bytes answered, when the server is through. */
export async function replayPostgres(databaseUrl: string, recordings: Buffer[]): Promise<number> {
  const answered = await Promise.all(recordings.map((recording) => replayOne(databaseUrl, recording)));
  return answered.reduce((sum, bytes) => sum + bytes, 0);
}

async function replayOne(databaseUrl: string, recording: Buffer): Promise<number> {
  const client = new pg.Client(databaseUrl);
  client.on('error', () => undefined);
  await client.connect();
  // The driver's own socket, taken from under it: nothing else in it can send bytes that somebody else has formed.
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  let answered = 0;
  stream.removeAllListeners('data');
  stream.on('data', (chunk: Buffer) => {
    answered += chunk.length;
  });
  const closed = once(stream, 'close');
  stream.end(withoutHandshake(recording));
  await closed;
  return answered;
}

/** The messages after the start-up packet, less those of the handshake (p) and the good-bye (X). */
function withoutHandshake(recording: Buffer): Buffer {
  const messages: Buffer[] = [];
  for (let at = recording.readInt32BE(0); at + 5 <= recording.length; ) {
    const end = at + 1 + recording.readInt32BE(at + 1);
    const kind = String.fromCharCode(recording[at] ?? 0);
    if (kind !== 'p' && kind !== 'X') messages.push(recording.subarray(at, end));
    at = end;
  }
  return Buffer.concat(messages);
}
