// The REST API as an OpenAPI 3.1 document, made from schemas/rest-operations.ts. Nothing about a single operation stands here: who
// adds one there has it in the document.
import type { z } from 'zod';
import packageJson from '../package.json' with { type: 'json' };
import { REJECTIONS, type RejectionCode } from '../schemas/rejections.ts';
import {
  ActiveRequest,
  ChangeRoomRequest,
  CreateRoomRequest,
  InviteRequest,
  RoomRequest,
  SendMessageRequest,
} from '../schemas/requests.ts';
import { exampleProblem, ProblemAnswer } from '../schemas/rest-answers.ts';
import type { AnswerHeader, RestOperation } from '../schemas/rest-operation.ts';
import { REST_OPERATIONS } from '../schemas/rest-operations.ts';
import { MemberView, MessageView, RoomView } from '../schemas/wire.ts';
import { type JsonSchema, type JsonSchemas, toJsonSchemas } from './json-schemas.ts';

/** Schemas that stand once in the document, under these names. */
const NAMED_REQUESTS = {
  CreateRoomRequest,
  RoomRequest,
  InviteRequest,
  ChangeRoomRequest,
  SendMessageRequest,
  ActiveRequest,
};
const NAMED_ANSWERS = { Room: RoomView, Member: MemberView, Message: MessageView, Problem: ProblemAnswer };

const OPERATIONS: readonly (readonly [string, RestOperation])[] = Object.entries(REST_OPERATIONS);
const GROUPS: Readonly<Record<RestOperation['group'], string>> = {
  Rooms: 'Rooms of a space, and who is in them.',
  Messages: 'What is said in a room, page by page.',
  Running: 'For operators and for trying things out.',
  Documents: 'What a program can know of this service.',
};

/** `isOpen`: whether answers may hold fields that do not stand there (JsonSchemaOptions). */
export function openApiDocument({ isOpen } = { isOpen: true }): JsonSchema {
  const target = 'draft-2020-12';
  const requests = toJsonSchemas({
    named: NAMED_REQUESTS,
    others: OPERATIONS.flatMap(([, operation]) => asked(operation)),
    io: 'input',
    target,
    isOpen: false,
  });
  const answers = toJsonSchemas({
    named: NAMED_ANSWERS,
    others: OPERATIONS.flatMap(([, operation]) => Object.values(operation.answers).map(({ schema }) => schema)),
    io: 'output',
    target,
    isOpen,
  });
  const paths: Record<string, JsonSchema> = {};
  for (const [name, operation] of OPERATIONS) {
    paths[operation.path] = {
      ...paths[operation.path],
      [operation.method.toLowerCase()]: toOperation(name, operation, requests, answers),
    };
  }
  return {
    openapi: '3.1.1',
    info: { title: 'Roomlog', version: packageJson.version, description: DESCRIPTION, license: LICENSE },
    servers: [
      {
        url: '/',
        description: 'Where this document was had, or the gateway before it: a role by itself has its own part only.',
      },
    ],
    tags: Object.entries(GROUPS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: { ...answers.components, ...requests.components },
      headers: HEADERS,
      parameters: PARAMETERS,
      examples: Object.fromEntries(usedCodes().map((code) => [code, toExample(code)])),
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'A JSON Web Token of the user.' },
      },
    },
    'x-error-codes': REJECTIONS,
  };
}

const LICENSE = { name: 'MIT', identifier: 'MIT' };

const DESCRIPTION = [
  'Chatrooms: every command is an event in an append-only log, every read is a fold of it.',
  '',
  '- Every refusal is `application/problem+json` with a stable `code`. Answers with 429 and 503 say in `Retry-After` when to try again.',
  '- A command with a `commandId` may be repeated whenever its answer is missing: it counts once.',
  '- A write answers with the `position` of its event; a read with `x-min-position` waits until it has it.',
  '- Unknown fields of a request are refused. Answers may get further fields: skip those that you do not know.',
  '- Every answer has an `x-request-id`: the one that was sent, else a new one.',
].join('\n');

const text = { schema: { type: 'string' } };
const HEADERS = {
  'x-request-id': { description: 'Names this request in the logs of the service.', ...text },
  'x-position': {
    description:
      'What the answer has at least: everything of the log up to there. The list of rooms names a position of every partition, with commas between them.',
    ...text,
  },
  'x-lag-events': {
    description: 'How many offsets of what was acknowledged the answer does not have. Absent where that is not known.',
    schema: { type: 'integer', minimum: 0 },
  },
  'x-cache': {
    description: 'Whether the newest page came from the hot cache.',
    schema: { type: 'string', enum: ['hit', 'miss'] },
  },
  ETag: { description: 'To be sent as `If-None-Match`; then 304 says that it is the same still.', ...text },
  'Retry-After': { description: 'Seconds after which to try again.', schema: { type: 'integer', minimum: 1 } },
  'WWW-Authenticate': { description: 'What kind of token is wanted.', schema: { type: 'string', const: 'Bearer' } },
};

const PARAMETERS = {
  'x-min-position': {
    name: 'x-min-position',
    in: 'header',
    description: 'A `position` that a write has answered: the read waits until it has that, at most 2 s.',
    schema: { type: 'string', pattern: '^\\d{1,5}-\\d{1,15}$' },
    example: '3-1042',
  },
  'x-request-id': {
    name: 'x-request-id',
    in: 'header',
    description: 'A name of your own for this request.',
    schema: { type: 'string', pattern: '^[\\w.-]{1,64}$' },
  },
};

/** All schemas of what the caller sends. Path and query parameters stand one by one in the document. */
function asked({ params, query, headers, body }: RestOperation): z.ZodType[] {
  return [params, query, headers, body?.schema].filter((schema) => schema !== undefined);
}

function toOperation(name: string, operation: RestOperation, requests: JsonSchemas, answers: JsonSchemas): JsonSchema {
  const { group, does, notes, needsToken, body, params, query, headers } = operation;
  return {
    operationId: name,
    tags: [group],
    summary: does,
    ...(notes === undefined ? {} : { description: notes }),
    security: needsToken ? [{ token: [] }] : [],
    parameters: [
      ...(params ? toParameters(requests.of(params), 'path') : []),
      ...(query ? toParameters(requests.of(query), 'query') : []),
      ...(headers ? toParameters(requests.of(headers), 'header') : []),
      ...(operation.waitsForPosition ? [{ $ref: '#/components/parameters/x-min-position' }] : []),
      { $ref: '#/components/parameters/x-request-id' },
    ],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: requests.of(body.schema), example: body.example } },
          },
        }),
    responses: { ...toResponses(operation, answers), ...toRefusals(operation) },
  };
}

function toParameters(schema: JsonSchema, where: 'path' | 'query' | 'header'): JsonSchema[] {
  const required = new Set(schema.required as string[] | undefined);
  return Object.entries(schema.properties as Record<string, JsonSchema>).map(([name, { description, ...rest }]) => ({
    name,
    in: where,
    ...(description === undefined ? {} : { description }),
    required: required.has(name),
    schema: rest,
  }));
}

function toResponses({ answers, path }: RestOperation, schemas: JsonSchemas): Record<string, JsonSchema> {
  const entries = Object.entries(answers).map(([status, { schema, example, headers = [], mediaType }]) => {
    const response = {
      description: STATUS_TEXTS[status] ?? 'Done.',
      headers: toHeaders(['x-request-id', ...headers]),
      content: { [mediaType ?? 'application/json']: { schema: schemas.of(schema), example } },
    };
    return [status, response] as const;
  });
  const isCached = Object.values(answers).some(({ headers }) => headers?.includes('ETag'));
  const unchanged = { description: `What you have of ${path} is the newest.`, headers: toHeaders(['x-request-id']) };
  return { ...Object.fromEntries(entries), ...(isCached ? { 304: unchanged } : {}) };
}

const STATUS_TEXTS: Readonly<Record<string, string>> = { 200: 'Done.', 201: 'Made.', 503: 'Something is away.' };

function toHeaders(names: readonly (AnswerHeader | keyof typeof HEADERS)[]): JsonSchema {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

/** By status, with the codes that it may carry. */
function toRefusals({ codes, answers }: RestOperation): Record<string, JsonSchema> {
  const byStatus = Map.groupBy(new Set(codes), (code) => REJECTIONS[code].status);
  const refusals = [...byStatus].filter(([status]) => !(status in answers));
  return Object.fromEntries(
    refusals.map(([status, codesOfStatus]) => [
      status,
      {
        description: codesOfStatus.map((code) => `- \`${code}\`: ${REJECTIONS[code].title}`).join('\n'),
        headers: toHeaders([
          'x-request-id',
          ...(status === 429 || status === 503 ? (['Retry-After'] as const) : []),
          ...(status === 401 ? (['WWW-Authenticate'] as const) : []),
        ]),
        content: {
          'application/problem+json': {
            schema: {
              allOf: [
                { $ref: '#/components/schemas/Problem' },
                { type: 'object', properties: { code: { enum: codesOfStatus } } },
              ],
            },
            examples: Object.fromEntries(
              codesOfStatus.map((code) => [code, { $ref: `#/components/examples/${code}` }]),
            ),
          },
        },
      },
    ]),
  );
}

function usedCodes(): RejectionCode[] {
  return [...new Set(OPERATIONS.flatMap(([, { codes }]) => codes))];
}

function toExample(code: RejectionCode): JsonSchema {
  const value = exampleProblem(code);
  return { summary: value.title, value };
}
