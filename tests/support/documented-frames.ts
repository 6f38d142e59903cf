// Holds what comes over a socket against schemas/server-frames.ts and schemas/client-frames.ts. The test clients ask it about every
// frame that they get, so that a test fails where the service says something that the documents do not.
import assert from 'node:assert/strict';
import type { z } from 'zod';
import { ANY_FRAME_CODES, CLIENT_FRAME_SCHEMAS } from '../../schemas/client-frames.ts';
import type { RejectionCode } from '../../schemas/rejections.ts';
import { Refusal, SERVER_FRAME_SCHEMAS } from '../../schemas/server-frames.ts';
import type { ClientFrameName, ServerFrameName } from '../../schemas/wire.ts';

/** Throws unless it is a frame of the service as documented. */
export function assertServerFrame(event: unknown, data: unknown): void {
  const isKnown = typeof event === 'string' && Object.hasOwn(SERVER_FRAME_SCHEMAS, event);
  assert.ok(isKnown, `a frame with an unknown name: ${JSON.stringify({ event, data })}`);
  assertIs(SERVER_FRAME_SCHEMAS[event as ServerFrameName].data, data, `the frame ${event}`);
}

/** Throws unless it is an answer, `{data}` or `{error}`, that a frame of that name may get. */
export function assertAnswer(event: string, answer: { data?: unknown; error?: unknown }): void {
  const what = `the answer to ${event}`;
  const known = Object.hasOwn(CLIENT_FRAME_SCHEMAS, event) ? CLIENT_FRAME_SCHEMAS[event as ClientFrameName] : undefined;
  if ('error' in answer) {
    const { code } = assertIs(Refusal, answer.error, what);
    const codes: readonly RejectionCode[] = [...ANY_FRAME_CODES, ...(known?.codes ?? [])];
    assert.ok(codes.includes(code), `${what}: the code ${code} is not documented for it`);
  } else {
    assert.ok(known, `${what}: there is no such frame`);
    assertIs(known.answer, answer.data, what);
  }
}

function assertIs<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  assert.fail(`${what} is not as documented: ${result.error.message}\n${JSON.stringify(value)}`);
}
