// Cases of RFC 6455 that a server has to stand, numbered by the sections of the Autobahn test suite, whose cases they are equal to as
// far as they apply: this service understands text frames of JSON only, of 64 KiB at most, and offers no compression (sections 12
// and 13). Where Autobahn has its messages echoed, ours are requests that are answered with their `ref`.
import { closeFrame as close, clientFrame as frame, OPCODES } from './raw-socket.ts';

export type Expectation = {
  /** Refs of the answers, in order. */
  answers?: number[];
  /** Payloads of the pongs, in order. */
  pongs?: (string | Buffer)[];
  /** Error frames without a ref, in order. */
  errors?: string[];
  /** The first pong comes before the first answer. */
  pongsFirst?: true;
  /** The code of the close frame; 1005: one without a code. Undefined: the socket stays open. */
  close?: number;
};

export type Rfc6455Case = {
  id: string;
  name: string;
  /** Each is a write of its own. */
  send: Buffer[];
  byBytes: boolean;
  expect: Expectation;
};

const one = (id: string, name: string, send: Buffer[], expect: Expectation, byBytes = false): Rfc6455Case => ({
  id,
  name,
  send,
  expect,
  byBytes,
});

const { text, binary, continuation, ping, pong } = OPCODES;
const MAX_BYTES = 65_536;
const PROTOCOL_ERROR = 1_002;
const INVALID_TEXT = 1_007;
const TOO_MANY_PIECES = 1_008;
const TOO_BIG = 1_009;

/** A request as text, filled up with spaces to so many bytes. */
function request(ref: number, bytes = 0, roomId = 'κόσμε'): string {
  const json = JSON.stringify({ event: 'leave-room', data: { roomId }, ref });
  return json + ' '.repeat(Math.max(0, bytes - Buffer.byteLength(json)));
}

/** The bytes cut into fragments of that size, the last one with FIN set. */
function fragments(payload: string, size: number): Buffer[] {
  const bytes = Buffer.from(payload);
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    frame(index === 0 ? text : continuation, bytes.subarray(index * size, (index + 1) * size), {
      fin: (index + 1) * size >= bytes.length,
    }),
  );
}

function chop(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

const [head, tail] = [request(1).slice(0, 20), request(1).slice(20)];
const first = frame(text, head, { fin: false });
const last = frame(continuation, tail);

const framing: Rfc6455Case[] = [
  one('1.1.1', 'a text of 0 bytes', [frame(text)], { errors: ['malformed_frame'] }),
  ...[125, 126, 127, 128, 65_535, MAX_BYTES].map((bytes) =>
    one(`1.1.${bytes}`, `a text of ${bytes} bytes`, [frame(text, request(1, bytes))], { answers: [1] }),
  ),
  one('1.1.8', 'a text of 64 KiB in pieces of 997 bytes', chop(frame(text, request(1, MAX_BYTES)), 997), {
    answers: [1],
  }),
  ...[0, 125, 126, 65_535].map((bytes) =>
    one(`1.2.${bytes}`, `binary data of ${bytes} bytes`, [frame(binary, Buffer.alloc(bytes, 0xfe))], { close: 1_003 }),
  ),
  one('1.3', 'a frame that is not masked', [frame(text, '{}', { masked: false })], { close: PROTOCOL_ERROR }),
  one('1.4', 'a ping that is not masked', [frame(ping, '', { masked: false })], { close: PROTOCOL_ERROR }),
];

const tenPings = Array.from({ length: 10 }, (_, index) => `payload-${index}`);
const pings: Rfc6455Case[] = [
  one('2.1', 'a ping without payload', [frame(ping)], { pongs: [''] }),
  one('2.2', 'a ping with text', [frame(ping, 'Hello, world!')], { pongs: ['Hello, world!'] }),
  one('2.3', 'a ping with bytes that are no text', [frame(ping, Buffer.from([0x00, 0xff, 0xfe, 0xfd]))], {
    pongs: [Buffer.from([0x00, 0xff, 0xfe, 0xfd])],
  }),
  one('2.4', 'a ping of 125 bytes', [frame(ping, 'p'.repeat(125))], { pongs: ['p'.repeat(125)] }),
  one('2.5', 'a ping of 126 bytes', [frame(ping, 'p'.repeat(126))], { close: PROTOCOL_ERROR }),
  one('2.6', 'a ping byte by byte', [frame(ping, 'p'.repeat(125))], { pongs: ['p'.repeat(125)] }, true),
  one('2.7', 'a pong that nobody asked for', [frame(pong)], {}),
  one('2.8', 'one with payload', [frame(pong, 'unsolicited')], {}),
  one('2.9', 'one, then a ping', [frame(pong, 'unsolicited'), frame(ping, 'asked')], { pongs: ['asked'] }),
  one('2.10', 'ten pings at once', [Buffer.concat(tenPings.map((text) => frame(ping, text)))], { pongs: tenPings }),
  one(
    '2.11',
    'ten pings byte by byte',
    tenPings.map((text) => frame(ping, text)),
    { pongs: tenPings },
    true,
  ),
];

const reserved: Rfc6455Case[] = [1, 2, 3, 4, 5, 6, 7].flatMap((rsv) => [
  one(`3.${rsv}.text`, `a text with the reserved bits ${rsv}`, [frame(text, request(1), { rsv })], {
    close: PROTOCOL_ERROR,
  }),
  one(
    `3.${rsv}.ping`,
    `after a good ping, one with the reserved bits ${rsv}`,
    [Buffer.concat([frame(ping, 'good'), frame(ping, '', { rsv }), frame(ping, 'never')])],
    { pongs: ['good'], close: PROTOCOL_ERROR },
  ),
]);

const opcodes: Rfc6455Case[] = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) => [
  one(`4.${opcode}.empty`, `the opcode ${opcode}`, [frame(opcode)], { close: PROTOCOL_ERROR }),
  one(
    `4.${opcode}.within`,
    `the opcode ${opcode} within a message, in one write with a ping behind it`,
    [Buffer.concat([first, frame(opcode, 'x'), frame(ping)])],
    { close: PROTOCOL_ERROR },
  ),
]);

const fragmentation: Rfc6455Case[] = [
  one('5.1', 'a ping in two fragments', [frame(ping, 'a', { fin: false }), frame(continuation, 'b')], {
    close: PROTOCOL_ERROR,
  }),
  one('5.2', 'a pong in two fragments', [frame(pong, 'a', { fin: false }), frame(continuation, 'b')], {
    close: PROTOCOL_ERROR,
  }),
  one('5.3', 'a text in two fragments', [first, last], { answers: [1] }),
  one('5.4', 'a text in two fragments and one write', [Buffer.concat([first, last])], { answers: [1] }),
  one('5.5', 'a text in two fragments byte by byte', [first, last], { answers: [1] }, true),
  one('5.6', 'a ping between the fragments', [first, frame(ping, 'between'), last], {
    pongs: ['between'],
    answers: [1],
    pongsFirst: true,
  }),
  one('5.7', 'the same in one write', [Buffer.concat([first, frame(ping, 'between'), last])], {
    pongs: ['between'],
    answers: [1],
    pongsFirst: true,
  }),
  one(
    '5.8',
    'the same byte by byte',
    [first, frame(ping, 'between'), last],
    { pongs: ['between'], answers: [1], pongsFirst: true },
    true,
  ),
  ...[true, false].flatMap((fin) => [
    one(`5.9.${fin}`, 'a continuation of nothing', [frame(continuation, 'x', { fin }), frame(text, request(1))], {
      close: PROTOCOL_ERROR,
    }),
    one(
      `5.15.${fin}`,
      'a continuation after a whole text',
      [Buffer.concat([first, last, frame(continuation, 'x', { fin })])],
      { close: PROTOCOL_ERROR },
    ),
  ]),
  one('5.18', 'a text within a text', [first, frame(text, request(2))], { close: PROTOCOL_ERROR }),
  one('5.18.binary', 'binary data within a text', [first, frame(binary, 'x')], { close: PROTOCOL_ERROR }),
  one(
    '5.19',
    'five fragments with pings between them',
    fragments(request(1), 12).flatMap((piece, index) => [piece, frame(ping, `${index}`)]),
    { pongs: fragments(request(1), 12).map((_, index) => `${index}`), answers: [1] },
  ),
  one(
    '5.21',
    'fragments without a byte at both ends',
    [frame(text, '', { fin: false }), frame(continuation, request(1), { fin: false }), frame(continuation)],
    { answers: [1] },
  ),
  one('5.22', 'binary data in fragments', [frame(binary, 'a', { fin: false }), frame(continuation, 'b')], {
    close: 1_003,
  }),
];

const VALID = [
  'κόσμε',
  '\u0000',
  '\u007f',
  '\u0080',
  '\u07ff',
  '\u0800',
  '\ud7ff',
  '\ue000',
  '\ufffd',
  '\ufffe',
  '\uffff',
  '\u{10000}',
  '\u{1ffff}',
  '\u{10ffff}',
  '\u{fdd0}',
];
const INVALID = [
  'cebae1bdb9cf83cebcceb5eda080656469746564',
  '80',
  'bf',
  '80bf',
  '80bf80bf80bf',
  'c0',
  'c020',
  'e020',
  'f020',
  'fe',
  'ff',
  'fefeffff',
  'c0af',
  'e080af',
  'f08080af',
  'f8808080af',
  'fc80808080af',
  'c1bf',
  'e09fbf',
  'f08fbfbf',
  'c080',
  'e08080',
  'eda080',
  'edadbf',
  'edae80',
  'edbfbf',
  'eda080edb080',
  'f4908080',
  'f7bfbfbf',
  'f8888080',
  'e2',
  'e282',
  'f09f92',
];
const utf8: Rfc6455Case[] = [
  one(
    '6.1',
    'three fragments without a byte',
    [frame(text, '', { fin: false }), frame(continuation, '', { fin: false }), frame(continuation)],
    { errors: ['malformed_frame'] },
  ),
  ...VALID.map((valid) =>
    one(`6.2.${Buffer.from(valid).toString('hex')}`, 'valid UTF-8', [frame(text, valid)], {
      errors: ['malformed_frame'],
    }),
  ),
  one(
    '6.2.cut',
    'valid UTF-8 with every byte a fragment of its own',
    fragments(request(1, 0, 'Hello-µ@ßöäüàá-UTF-8!!'), 1),
    { answers: [1] },
  ),
  ...INVALID.flatMap((hex) => {
    const bytes = Buffer.from(hex, 'hex');
    return [
      one(`6.3.${hex}`, 'invalid UTF-8', [frame(text, bytes)], { close: INVALID_TEXT }),
      one(
        `6.4.${hex}`,
        'invalid UTF-8 in the second fragment',
        [first, frame(continuation, bytes, { fin: false }), frame(continuation, tail)],
        { close: INVALID_TEXT },
      ),
    ];
  }),
];

const LEGAL_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
const ILLEGAL_CODES = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];
const closing: Rfc6455Case[] = [
  one('7.1.1', 'a close', [close(1000)], { close: 1000 }),
  one('7.1.2', 'two closes', [Buffer.concat([close(1000), close(1001)])], { close: 1000 }),
  one('7.1.3', 'a ping after the close', [Buffer.concat([close(1000), frame(ping)])], { pongs: [], close: 1000 }),
  one('7.1.4', 'a text after the close', [Buffer.concat([close(1000), frame(text, request(1))])], {
    answers: [],
    close: 1000,
  }),
  one('7.1.5', 'a close within a message', [Buffer.concat([first, close(1000), last])], { answers: [], close: 1000 }),
  one(
    '7.1.6',
    'frames of every kind after the close',
    [Buffer.concat([close(1000), frame(binary, 'x'), frame(5), frame(text, 'x', { rsv: 7 })])],
    { close: 1000 },
  ),
  one('7.3.1', 'a close without payload', [close(null)], { close: 1005 }),
  one('7.3.2', 'a close of one byte', [frame(OPCODES.close, 'x')], { close: PROTOCOL_ERROR }),
  one('7.3.4', 'a close with a reason', [close(1000, 'Hello, world!')], { close: 1000 }),
  one('7.3.5', 'a reason of 123 bytes', [close(1000, 'r'.repeat(123))], { close: 1000 }),
  one('7.3.6', 'a reason of 124 bytes', [close(1000, 'r'.repeat(124))], { close: PROTOCOL_ERROR }),
  one('7.3.7', 'a close in two fragments', [frame(OPCODES.close, '', { fin: false })], { close: PROTOCOL_ERROR }),
  one('7.5.1', 'a reason that is not UTF-8', [close(1000, Buffer.from('cebae1bdb9cf83cebcceb5eda080', 'hex'))], {
    close: INVALID_TEXT,
  }),
  ...LEGAL_CODES.map((code) => one(`7.7.${code}`, `the close code ${code}`, [close(code)], { close: code })),
  ...ILLEGAL_CODES.map((code) =>
    one(`7.9.${code}`, `the close code ${code}`, [close(code)], { close: PROTOCOL_ERROR }),
  ),
];

const limits: Rfc6455Case[] = [
  one('9.1', 'a text of one byte more than 64 KiB', [frame(text, request(1, MAX_BYTES + 1))], { close: TOO_BIG }),
  ...[MAX_BYTES + 1, 2 ** 32, 2 ** 53, 2n ** 63n, 2n ** 64n - 1n].map((claimedLength) =>
    one(
      `9.2.${claimedLength}`,
      `a header that says ${claimedLength} bytes, and no more`,
      [frame(text, '', { claimedLength, lengthBytes: 8 as const })],
      { close: TOO_BIG },
    ),
  ),
  one('9.3', '64 KiB in 1,024 fragments', [Buffer.concat(fragments(request(1, MAX_BYTES), 64))], { answers: [1] }),
  one('9.4', 'fragments of more than 64 KiB together', fragments(request(1, MAX_BYTES + 1), 32_768), {
    close: TOO_BIG,
  }),
  one('9.5', 'more than 1,024 fragments', [Buffer.concat(fragments(request(1, 1_025), 1))], { close: TOO_MANY_PIECES }),
  one(
    '9.6',
    'fragments without a byte and without an end',
    [Buffer.concat([first, ...Array.from({ length: 5_000 }, () => frame(continuation, '', { fin: false }))])],
    { close: TOO_MANY_PIECES },
  ),
  one('9.7', 'a text byte by byte', [frame(text, request(1, 2_000))], { answers: [1] }, true),
  one('10.1', '64 KiB in fragments of 1,300 bytes, one write each', fragments(request(1, MAX_BYTES), 1_300), {
    answers: [1],
  }),
  one(
    '10.2',
    'fifty texts in one write',
    [Buffer.concat(Array.from({ length: 50 }, (_, index) => frame(text, request(index))))],
    { answers: Array.from({ length: 50 }, (_, index) => index) },
  ),
];

export const RFC6455_CASES: readonly Rfc6455Case[] = [
  ...framing,
  ...pings,
  ...reserved,
  ...opcodes,
  ...fragmentation,
  ...utf8,
  ...closing,
  ...limits,
];
