// The protocol of the socket as an AsyncAPI 3.0 document, made from schemas/client-frames.ts and schemas/server-frames.ts. Nothing
// about a single frame stands here: who adds one there has it in the document.
import packageJson from '../package.json' with { type: 'json' };
import { ANY_FRAME_CODES, CLIENT_FRAME_SCHEMAS, type ClientFrameEntry } from '../schemas/client-frames.ts';
import { CLOSE_CODES } from '../schemas/close-codes.ts';
import { REJECTIONS, type RejectionCode } from '../schemas/rejections.ts';
import { Refusal, SERVER_FRAME_SCHEMAS, type ServerFrameEntry, UserInRoom } from '../schemas/server-frames.ts';
import { MessageView, RoomEventData } from '../schemas/wire.ts';
import { type JsonSchema, toJsonSchemas } from './json-schemas.ts';

/** Schemas that stand once in the document, under these names. */
const NAMED = { Message: MessageView, RoomEvent: RoomEventData, UserInRoom, Refusal };

const CLIENT_FRAMES: readonly (readonly [string, ClientFrameEntry])[] = Object.entries(CLIENT_FRAME_SCHEMAS);
const SERVER_FRAMES: readonly (readonly [string, ServerFrameEntry])[] = Object.entries(SERVER_FRAME_SCHEMAS);

export type AsyncApiOptions = {
  /** `host:port` of the sockets. */
  host: string;
  /** Whether what the service sends may hold fields that do not stand there (JsonSchemaOptions). */
  isOpen?: boolean;
};

export function asyncApiDocument({ host, isOpen = true }: AsyncApiOptions): JsonSchema {
  const target = 'draft-07';
  const others = CLIENT_FRAMES.map(([, { data }]) => data);
  const sent = toJsonSchemas({ named: {}, others, io: 'input', target, isOpen: false });
  const heard = toJsonSchemas({
    named: NAMED,
    others: [...SERVER_FRAMES.map(([, { data }]) => data), ...CLIENT_FRAMES.map(([, { answer }]) => answer)],
    io: 'output',
    target,
    isOpen,
  });
  const messages = Object.fromEntries([
    ...CLIENT_FRAMES.map(([event, { does, data, example }]) => [
      clientKey(event),
      {
        name: event,
        title: event,
        summary: does,
        correlationId: CORRELATION,
        payload: frame(event, sent.of(data), { ref: REF }, false),
        examples: [{ payload: { event, data: example.data, ref: 1 } }],
      },
    ]),
    ...CLIENT_FRAMES.map(([event, { answer, example }]) => [
      answerKey(event),
      {
        name: `answer to ${event}`,
        title: `Answer to ${event}`,
        summary: 'To a frame that had a `ref`.',
        correlationId: CORRELATION,
        payload: answered('data', heard.of(answer), isOpen),
        examples: [{ payload: { ref: 1, data: example.answer } }],
      },
    ]),
    ...SERVER_FRAMES.map(([event, { when, data, example }]) => [
      serverKey(event),
      {
        name: event,
        title: event,
        summary: when,
        payload: frame(event, heard.of(data), {}, isOpen),
        examples: [{ payload: { event, data: example } }],
      },
    ]),
    [
      REFUSAL,
      {
        name: 'refusal',
        title: 'Refusal',
        summary: 'To a frame that had a `ref` and was refused. Without one an `error` frame comes instead.',
        correlationId: CORRELATION,
        payload: answered('error', heard.of(Refusal), isOpen),
        examples: [{ payload: { ref: 1, error: exampleRefusal('not_a_member') } }],
      },
    ],
  ]);
  return {
    asyncapi: '3.0.0',
    info: { title: 'Roomlog', version: packageJson.version, description: DESCRIPTION, license: { name: 'MIT' } },
    defaultContentType: 'application/json',
    servers: {
      socket: {
        host,
        protocol: 'ws',
        description: 'The port of the sockets, on any path. Behind TLS it is `wss`.',
        security: [{ $ref: '#/components/securitySchemes/token' }],
      },
    },
    channels: {
      [CHANNEL]: {
        address: '/',
        title: 'The socket',
        description: 'One socket takes the frames of all rooms that it has joined.',
        servers: [{ $ref: '#/servers/socket' }],
        messages: Object.fromEntries(
          Object.keys(messages).map((key) => [key, { $ref: `#/components/messages/${key}` }]),
        ),
        bindings: { ws: { method: 'GET', headers: HANDSHAKE, bindingVersion: '0.1.0' } },
      },
    },
    operations: Object.fromEntries([
      ...CLIENT_FRAMES.map(([event, { does, codes }]) => [
        clientKey(event),
        {
          action: 'receive',
          channel: IN_CHANNEL,
          title: event,
          summary: does,
          messages: [inChannel(clientKey(event))],
          reply: { channel: IN_CHANNEL, messages: [inChannel(answerKey(event)), inChannel(REFUSAL)] },
          'x-error-codes': [...new Set([...codes, ...ANY_FRAME_CODES])],
        },
      ]),
      ...SERVER_FRAMES.map(([event, { when }]) => [
        serverKey(event),
        { action: 'send', channel: IN_CHANNEL, title: event, summary: when, messages: [inChannel(serverKey(event))] },
      ]),
    ]),
    components: {
      messages,
      schemas: heard.components,
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'In the `Authorization` header, as the subprotocol after `bearer`, or in an `auth` frame within 5 s of connecting. Never in the URL.',
        },
      },
    },
    'x-error-codes': REJECTIONS,
    'x-close-codes': CLOSE_CODES,
  };
}

const CHANNEL = 'socket';
const IN_CHANNEL = { $ref: `#/channels/${CHANNEL}` };
const REFUSAL = 'refusal';

/** The same event may go both ways. */
const clientKey = (event: string): string => `client.${event}`;
const answerKey = (event: string): string => `answer.${event}`;
const serverKey = (event: string): string => `server.${event}`;
const inChannel = (key: string): JsonSchema => ({ $ref: `#/channels/${CHANNEL}/messages/${key}` });

const DESCRIPTION = [
  'Frames of JSON over a WebSocket: `{event, data, ref?}` to the service, `{event, data}` from it.',
  '',
  '- A frame with a `ref` is answered with `{ref, data}` or `{ref, error}`; without one a success is silent and a refusal is an `error` frame.',
  '- Every event of a room has a `version`, without a gap. Keep the highest of each room; after a reconnect join with it as `after`, and nothing is missing and nothing comes twice.',
  '- Unknown fields of a frame are refused. What the service sends may get further fields and frames: skip those that you do not know.',
  '- socket.io clients have the same events at the same port, with acknowledgement callbacks in place of `ref`.',
].join('\n');

const REF = { type: ['string', 'number'], maxLength: 200, description: 'Comes back in the answer.' };
const CORRELATION = { location: '$message.payload#/ref' };

const HANDSHAKE = {
  type: 'object',
  properties: {
    Authorization: { type: 'string', pattern: '^Bearer ', description: '`Bearer` and the token.' },
    'Sec-WebSocket-Protocol': {
      type: 'string',
      description: 'For browsers: `bearer`, and the token as the second one.',
    },
  },
};

function frame(event: string, data: JsonSchema, more: JsonSchema, isOpen: boolean): JsonSchema {
  return object({ event: { type: 'string', const: event }, data, ...more }, ['event', 'data'], isOpen);
}

function answered(key: 'data' | 'error', value: JsonSchema, isOpen: boolean): JsonSchema {
  return object({ ref: REF, [key]: value }, ['ref', key], isOpen);
}

function object(properties: JsonSchema, required: string[], isOpen: boolean): JsonSchema {
  return { type: 'object', properties, required, ...(isOpen ? {} : { additionalProperties: false }) };
}

function exampleRefusal(code: RejectionCode): object {
  return { code, message: REJECTIONS[code].title };
}
