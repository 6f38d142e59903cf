import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { after, before, describe, it } from 'mocha';
import { ChatFileError, type ChatLine, readChatLines, surveyChatFile } from './chat-file.ts';

describe('reading a recorded chat', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'roomlog-import-'));
  });
  after(() => rm(folder, { recursive: true }));

  const file = async (name: string, content: string | Buffer): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  };
  const collect = async (path: string): Promise<ChatLine[]> => {
    const lines: ChatLine[] = [];
    for await (const batch of readChatLines(path)) lines.push(...batch);
    return lines;
  };
  const one = '{"room":"r","at":"2004-11-15T12:18:00.000Z","type":"message","user":"é ","text":"ä\\u0007 <b>"}';
  const two = '{"room":"s","at":"2004-11-15T12:18:01.500Z","type":"join","user":"b"}';

  it('IMP-1 reads the same from a packed and a plain file, with or without a last newline, under the same file id', async () => {
    const plain = await file('a.jsonl', `${one}\n${two}\n`);
    const packed = await file('a.jsonl.gz', gzipSync(`${one}\n${two}\n`, { level: 1 }));
    const expected = [
      {
        line: 0,
        room: 'r',
        at: '2004-11-15T12:18:00.000Z',
        type: 'message',
        user: 'é ',
        text: 'ä\u0007 <b>',
        replyTo: null,
      },
      { line: 1, room: 's', at: '2004-11-15T12:18:01.500Z', type: 'join', user: 'b', text: '', replyTo: null },
    ];
    assert.deepEqual(await collect(plain), expected);
    assert.deepEqual(await collect(packed), expected);
    assert.deepEqual(await collect(await file('b.jsonl', `${one}\n${two}`)), expected);
    const survey = await surveyChatFile(plain);
    assert.deepEqual(survey, await surveyChatFile(packed));
    assert.deepEqual(survey.rooms, ['r', 's']);
    assert.equal(survey.lines, 2);
  });

  const bad: [string, string | Buffer | null, RegExp][] = [
    ['a file that is not there', null, /cannot be read.*ENOENT/],
    ['an empty file', '', /is empty/],
    ['a line that is not JSON', `${one}\n{oops\n`, /:2 is not JSON/],
    ['a line without a user', `${two.replace('"user":"b"', '"who":"b"')}\n`, /:1 user/],
    ['a type that is not known', `${two.replace('join', 'quit')}\n`, /:1 type/],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0x0a]), /cannot be read/],
    ['a packed file that is cut off', gzipSync(`${one}\n`.repeat(2_000)).subarray(0, 90), /cannot be read/],
  ];
  for (const [what, content, message] of bad) {
    it(`IMP-1 says what is wrong with ${what}`, async () => {
      const path = content === null ? join(folder, 'none.jsonl') : await file('bad.jsonl', content);
      await assert.rejects(surveyChatFile(path), (error) => {
        assert(error instanceof ChatFileError);
        assert.match(error.message, message);
        assert(!error.message.includes('\n'));
        return true;
      });
    });
  }
});
