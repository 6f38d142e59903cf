import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { describe, it } from 'mocha';
import { CLOSE_CODES } from '../schemas/close-codes.ts';
import { codesDocument } from '../schemas/codes-document.ts';
import { REJECTIONS } from '../schemas/rejections.ts';
import { CodesAnswer } from '../schemas/rest-answers.ts';
import { REST_OPERATIONS } from '../schemas/rest-operations.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { openDocumentValidator } from '../tests/support/document-validator.ts';
import { assertDocumented } from '../tests/support/documented-rest.ts';
import { asyncApiDocument } from './asyncapi.ts';
import { openApiDocument } from './openapi.ts';

const openApi = openApiDocument();
const asyncApi = asyncApiDocument({ host: 'localhost:3002' });

describe('the OpenAPI document', () => {
  it('DOC-3 is valid by the schema of OpenAPI 3.1', async () => {
    const validator = new Validator();
    const result = await validator.validate(structuredClone(openApi));
    assert.deepEqual(result, { valid: true });
    assert.equal(validator.version, '3.1');
  });

  it('DOC-3 refers only to what is there', () => {
    assertReferences(openApi);
  });

  it('DOC-4 has examples that its own schemas take', () => {
    const validator = openDocumentValidator(openApiDocument({ isOpen: false }), '2020-12');
    let count = 0;
    visit(openApi, (value, path) => {
      if (!('schema' in value)) return;
      const examples = 'example' in value ? [value.example] : exampleValues(value.examples);
      for (const example of examples) validator.assertIs([...path, 'schema'], example, path.join(' '));
      count += examples.length;
    });
    assert.ok(count > Object.keys(REST_OPERATIONS).length);
  });

  it('DOC-5 says of every operation what it is refused with, by status and code', () => {
    for (const [name, { path, method, codes }] of Object.entries(REST_OPERATIONS)) {
      const operation = at(openApi, ['paths', path, method.toLowerCase()]);
      assert.equal(operation.operationId, name);
      for (const code of codes) {
        const refusal = at(operation, ['responses', String(REJECTIONS[code].status)]);
        assert.match(String(refusal.description), new RegExp(`\`${code}\``));
        const schema = at(refusal, [
          'content',
          'application/problem+json',
          'schema',
          'allOf',
          '1',
          'properties',
          'code',
        ]);
        assert.ok((schema.enum as string[]).includes(code));
      }
    }
    const known = at(openApi, ['components', 'schemas', 'Problem', 'properties', 'code']).enum;
    assert.deepEqual(known, Object.keys(REJECTIONS));
    assert.deepEqual(openApi['x-error-codes'], REJECTIONS);
    assert.deepEqual(CodesAnswer.parse(codesDocument()), codesDocument());
  });

  it('DOC-2 an answer with a field, a status, a code or a header that is not there is found', () => {
    const headers = new Headers({ 'content-type': 'application/json', 'x-request-id': 'r' });
    const { example } = REST_OPERATIONS.showRoom.answers[200];
    const good = { method: 'GET', path: '/api/v1/chatroom/r', status: 200, headers, text: JSON.stringify(example) };
    assertDocumented(good);
    assert.throws(() => assertDocumented({ ...good, text: '{}' }), /required property 'chatroom'/);
    assert.throws(() => assertDocumented({ ...good, text: JSON.stringify({ ...example, more: 1 }) }), /additional/);
    assert.throws(() => assertDocumented({ ...good, status: 201 }), /status is not documented/);
    assert.throws(() => assertDocumented({ ...good, path: '/api/v1/chatroom/r?more=1' }), /more was taken/);
    assert.throws(() => assertDocumented({ ...good, path: '/api/v1/unknown' }), /no such operation/);
    const cached = new Headers([...headers, ['x-cache', 'hit']]);
    assert.throws(() => assertDocumented({ ...good, headers: cached }), /x-cache is not documented/);
    const problem = new Headers({ 'content-type': 'application/problem+json', 'x-request-id': 'r' });
    const refused = { ...good, headers: problem, status: 409 };
    assert.throws(() => assertDocumented(refused), /status is not documented/);
  });
});

describe('the AsyncAPI document', () => {
  it('DOC-3 is valid by the schema of AsyncAPI 3.0', () => {
    // The document's schema brings the one of JSON Schema along.
    const ajv = new Ajv({ strict: false, allErrors: true, meta: false, validateSchema: false });
    formats.default(ajv);
    const url = new URL(import.meta.resolve('@asyncapi/specs/schemas/3.0.0.json'));
    const schema = JSON.parse(readFileSync(url, 'utf8')) as object;
    const validate = ajv.compile(schema);
    validate(asyncApi);
    assert.deepEqual(validate.errors, null);
  });

  it('DOC-3 refers only to what is there', () => {
    assertReferences(asyncApi);
  });

  it('DOC-4 has examples that its own schemas take', () => {
    const validator = openDocumentValidator(asyncApiDocument({ host: 'localhost', isOpen: false }), '7');
    const messages = Object.entries(at(asyncApi, ['components', 'messages']));
    for (const [key, message] of messages) {
      const { examples } = message as { examples: { payload: unknown }[] };
      assert.ok(examples.length > 0);
      for (const { payload } of examples) validator.assertIs(['components', 'messages', key, 'payload'], payload, key);
    }
  });

  it('DOC-1 has an operation for every frame in both directions, and all codes', () => {
    const operations = at(asyncApi, ['operations']);
    const wanted = [
      ...Object.values(CLIENT_FRAMES).map((name) => [`client.${name}`, 'receive']),
      ...Object.values(SERVER_FRAMES).map((name) => [`server.${name}`, 'send']),
    ];
    const found = Object.entries(operations).map(([key, value]) => [key, (value as { action: string }).action]);
    assert.deepEqual(found, wanted);
    assert.deepEqual(asyncApi['x-error-codes'], REJECTIONS);
    assert.deepEqual(asyncApi['x-close-codes'], CLOSE_CODES);
  });
});

type Node = Record<string, unknown>;

function at(root: Node, path: readonly string[]): Node {
  return path.reduce((node, key) => {
    assert.ok(node[key] !== undefined, `${path.join(' ')}: there is no ${key}`);
    return node[key] as Node;
  }, root);
}

/** Every object in it, with the way to it. */
function visit(value: unknown, look: (value: Node, path: string[]) => void, path: string[] = []): void {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) look(value as Node, path);
  for (const [key, inner] of Object.entries(value)) visit(inner, look, [...path, key]);
}

function assertReferences(document: Node): void {
  let count = 0;
  visit(document, ({ $ref }) => {
    if (typeof $ref !== 'string') return;
    count += 1;
    assert.match($ref, /^#\//);
    at(
      document,
      $ref
        .slice(2)
        .split('/')
        .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~')),
    );
  });
  assert.ok(count > 20);
}

/** Of a media type of OpenAPI, which refers to examples that stand elsewhere. */
function exampleValues(examples: unknown): unknown[] {
  const references = Object.values((examples ?? {}) as Record<string, { $ref: string }>);
  return references.map(({ $ref }) => at(openApi, $ref.slice(2).split('/')).value);
}
