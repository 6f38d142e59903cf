import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { duration, formatProgress } from '../progress.ts';
import { parseImportArguments, UsageError } from './arguments.ts';

describe('the command line of the import', () => {
  it('needs only the file', () => {
    const { file, url, ws, token, space, window } = parseImportArguments(['chat.jsonl.gz']);
    assert.deepEqual(
      [file, url.href, ws.href, token, space, window],
      ['chat.jsonl.gz', 'http://localhost:3000/', 'ws://localhost:3002/', undefined, 'irc', 512],
    );
  });

  for (const args of [
    [],
    ['a', 'b'],
    ['a', '--window', '0'],
    ['a', '--window', '513'],
    ['a', '--window', 'x'],
    ['a', '--url', 'ws://h'],
    ['a', '--ws', 'h'],
    ['a', '--nonsense'],
  ]) {
    it(`refuses "${args.join(' ')}"`, () => {
      assert.throws(() => parseImportArguments(args), UsageError);
    });
  }
});

describe('the progress of the import', () => {
  it('shows the share, the rate and the time left', () => {
    const text = formatProgress({ done: 60_000, total: 240_000, rate: 2_000, refused: 3 });
    assert.match(text, /25\.0 % {3}60,000 \/ 240,000 events {3}2,000\/s {3}1:30 left {3}3 refused$/);
    assert.match(formatProgress({ done: 5, total: 5, rate: 0, refused: 0 }), /100\.0 % .* done$/);
  });

  it('counts hours, minutes and seconds', () => {
    assert.deepEqual([0, 6.2, 754, 3_723].map(duration), ['0:00', '0:07', '12:34', '1:02:03']);
  });
});
