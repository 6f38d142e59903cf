// Holds what goes over a socket against the AsyncAPI document. The test clients ask it about every frame, so that a test fails where
// the service says something that the document does not, or takes something that it does not allow.
import assert from 'node:assert/strict';
import { asyncApiDocument } from '../../documents/asyncapi.ts';
import { type DocumentValidator, openDocumentValidator } from './document-validator.ts';

type Document = {
  components: { messages: Record<string, object> };
  operations: Record<string, { 'x-error-codes'?: string[] }>;
};

let opened: { document: Document; validator: DocumentValidator } | undefined;

/** Made when it is needed for the first time, because it takes a moment. A field that is not documented is a fault here. */
function open() {
  if (opened === undefined) {
    const document = asyncApiDocument({ host: 'localhost', isOpen: false });
    opened = { document: document as Document, validator: openDocumentValidator(document, '7') };
  }
  return opened;
}

/** Throws unless it is a frame of the service as documented. */
export function assertServerFrame(event: unknown, data: unknown): void {
  assertPayload(`server.${String(event)}`, { event, data }, `the frame ${String(event)}`);
}

/** Throws unless it is a frame that clients may send. */
export function assertClientFrame(event: string, data: unknown): void {
  assertPayload(`client.${event}`, { event, data }, `the frame ${event}, which was taken,`);
}

/** Throws unless it is an answer, `{data}` or `{error}`, that a frame of that name may get. */
export function assertAnswer(event: string, answer: { data?: unknown; error?: unknown }): void {
  const what = `the answer to ${event}`;
  if (!('error' in answer)) {
    assertPayload(`answer.${event}`, { ref: 1, ...answer }, what);
    return;
  }
  assertPayload('refusal', { ref: 1, ...answer }, what);
  const { code } = answer.error as { code: string };
  const codes = open().document.operations[`client.${event}`]?.['x-error-codes'] ?? ['unknown_event', 'token_missing'];
  assert.ok(codes.includes(code), `${what}: the code ${code} is not documented for it`);
}

function assertPayload(key: string, payload: object, what: string): void {
  const { document, validator } = open();
  assert.ok(Object.hasOwn(document.components.messages, key), `${what}: there is no such frame`);
  validator.assertIs(['components', 'messages', key, 'payload'], payload, what);
}
