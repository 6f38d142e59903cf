// Holds what the REST API answers against the OpenAPI document. The test clients ask it about every answer, so that a test fails
// where the service says something that the document does not, or takes something that it does not allow.
import assert from 'node:assert/strict';
import { openApiDocument } from '../../documents/openapi.ts';
import { type DocumentValidator, openDocumentValidator } from './document-validator.ts';

type Parameter = { name: string; in: string; required?: boolean } | { $ref: string };
type Operation = {
  parameters: Parameter[];
  requestBody?: object;
  responses: Record<string, { headers?: Record<string, unknown>; content?: Record<string, object> }>;
};
type Document = { paths: Record<string, Record<string, Operation>>; components: { headers: Record<string, unknown> } };

export type Exchange = {
  method: string;
  /** With its query. */
  path: string;
  /** Of the request, where it was JSON. */
  sent?: unknown;
  status: number;
  headers: Headers;
  text: string;
};

let opened: { document: Document; validator: DocumentValidator } | undefined;

/** Made when it is needed for the first time, because it takes a moment. A field that is not documented is a fault here. */
function open() {
  if (opened === undefined) {
    const document = openApiDocument({ isOpen: false });
    opened = { document: document as Document, validator: openDocumentValidator(document, '2020-12') };
  }
  return opened;
}

/** Throws unless it is as documented. Files of the page and what our own processes say to each other are not looked at. */
export function assertDocumented(exchange: Exchange): void {
  const { document, validator } = open();
  const { pathname, searchParams } = new URL(exchange.path, 'http://localhost');
  const path = findPath(Object.keys(document.paths), pathname);
  if (path === undefined && !pathname.startsWith('/api/')) return;
  const what = `${exchange.method} ${exchange.path} → ${exchange.status}`;
  const method = exchange.method === 'HEAD' ? 'get' : exchange.method.toLowerCase();
  const operation = path === undefined ? undefined : document.paths[path]?.[method];
  const isNothing = exchange.status === 404 || exchange.status === 405;
  if (path === undefined || operation === undefined) {
    assert.ok(
      isNothing || exchange.method === 'OPTIONS' || exchange.status === 401,
      `${what}: there is no such operation`,
    );
    return;
  }
  const response = operation.responses[exchange.status];
  assert.ok(response, `${what}: the status is not documented: ${exchange.text}`);
  assertHeaders(exchange.headers, response.headers ?? {}, what);
  const place = ['paths', path, method];
  if (exchange.method !== 'HEAD' && response.content !== undefined) {
    const mediaType = (exchange.headers.get('content-type') ?? '').replace(/;.*/, '');
    assert.ok(Object.hasOwn(response.content, mediaType), `${what}: ${mediaType} is not documented`);
    const value: unknown = mediaType.endsWith('json') ? JSON.parse(exchange.text) : exchange.text;
    const content = ['responses', String(exchange.status), 'content', mediaType, 'schema'];
    validator.assertIs([...place, ...content], value, what);
  }
  if (exchange.status < 300) assertTaken(exchange, searchParams, operation, place, validator);
}

/** What was taken must be what the document allows. */
function assertTaken(
  { sent, path }: Exchange,
  query: URLSearchParams,
  operation: Operation,
  place: string[],
  validator: DocumentValidator,
): void {
  const parameters = operation.parameters.flatMap((one) => ('name' in one && one.in === 'query' ? [one] : []));
  for (const name of query.keys())
    assert.ok(
      parameters.some((one) => one.name === name),
      `${path}: ${name} was taken`,
    );
  for (const { name, required } of parameters)
    assert.ok(!required || query.has(name), `${path}: ${name} was not wanted`);
  if (operation.requestBody === undefined) return;
  const schema = ['requestBody', 'content', 'application/json', 'schema'];
  validator.assertIs([...place, ...schema], sent, `the body of ${path}, which was taken,`);
}

/** No header of ours that the document does not name at this answer. */
function assertHeaders(headers: Headers, documented: Record<string, unknown>, what: string): void {
  const ours = Object.keys(open().document.components.headers);
  for (const name of ours.filter((one) => headers.has(one))) {
    assert.ok(Object.hasOwn(documented, name), `${what}: the header ${name} is not documented`);
  }
  assert.ok(headers.has('x-request-id'), `${what}: without x-request-id`);
}

/** The path of the document that stands for this one: the same, else the one with parameters. */
function findPath(paths: readonly string[], pathname: string): string | undefined {
  const pattern = (path: string): RegExp => new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}/?$`);
  return paths.find((path) => path === pathname) ?? paths.find((path) => pattern(path).test(pathname));
}
