// Frames as Server-Sent Events (WHATWG HTML, "server-sent events"). A frame is one event of its name; its id is the version, so
// that a client which comes back says by itself, in Last-Event-ID, what it has. Made once, however many streams get them.
import type { EncodedFrame, FrameBatch } from './encoded-frame.ts';

export function toSseBytes(frame: EncodedFrame): Buffer {
  frame.sseBytes ??= Buffer.from(frameToText(frame));
  return frame.sseBytes;
}

export function batchToSseBytes(batch: FrameBatch): Buffer {
  const [only] = batch.frames;
  if (only && batch.frames.length === 1) return toSseBytes(only);
  batch.sseBytes ??= Buffer.concat(batch.frames.map(toSseBytes));
  return batch.sseBytes;
}

/** How long the client waits before it comes back. */
export function retryToSseBytes(retryMs: number): Buffer {
  return Buffer.from(`retry: ${retryMs}\n\n`);
}

/** A comment: no event for the client, but traffic for whatever is on the way. */
export const SSE_PING = Buffer.from(': ping\n\n');

/**
 * JSON has no line breaks, so its data is one line. The id comes last: a client that takes it before it has the whole event must not
 * have lost the event when the connection breaks in the middle. A frame without a version has no id, which leaves the client's as
 * it is.
 */
function frameToText({ name, json, version }: EncodedFrame): string {
  return version === null ? `event: ${name}\ndata: ${json}\n\n` : `event: ${name}\ndata: ${json}\nid: ${version}\n\n`;
}
