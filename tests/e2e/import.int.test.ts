// The import tool as a program against the running product: whole, interrupted in every way, and run again.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'mocha';
import { messageIdOf } from '../../commands/client/message-id.ts';
import { childEnv } from '../../ops/config.ts';
import { checkMessageText } from '../../schemas/requests.ts';
import type { MessageView, RoomView } from '../../schemas/wire.ts';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { openEmbeddedWay } from './support/embedded-way.ts';
import { newUser, type Way } from './support/way.ts';

type Line = { room: string; at: string; type: string; user: string; text?: string; replyTo?: number };
type Ended = { code: number | null; output: string; errors: string };

const MAIN = fileURLToPath(new URL('../../ops/import/main.ts', import.meta.url));
const FILE = fileURLToPath(new URL('../data/irc-excerpt.jsonl', import.meta.url));
const LINES = readFileSync(FILE, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Line);
const POLL_MS = 20;

describe('importing a recorded chat', () => {
  let way: Way;
  let proxy: TcpProxy;
  let token: string;

  before(async function () {
    this.timeout(60_000);
    way = await openEmbeddedWay();
    const { hostname, port } = new URL(way.socketUrl);
    proxy = await openTcpProxy({ host: hostname, port: Number(port) });
    token = newUser(way, 'reader', true).token;
  });

  after(async () => {
    await proxy.close();
    await way.close();
  });

  function startImport(args: string[], secret = way.secret): { child: ChildProcess; ended: Promise<Ended> } {
    const child = spawn(process.execPath, [MAIN, ...args], { env: childEnv({ JWT_SECRET: secret }) });
    let [output, errors] = ['', ''];
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      errors += String(chunk);
    });
    return { child, ended: once(child, 'close').then(() => ({ code: child.exitCode, output, errors })) };
  }

  const argsFor = (space: string, socketUrl = way.socketUrl): string[] => [
    FILE,
    ...['--url', way.origins.commands, '--ws', socketUrl, '--space', space, '--window', '16'],
  ];
  /** Through a proxy that is slow enough for something to happen in the middle. */
  const slowly = (space: string): string[] => {
    proxy.delay(50);
    return argsFor(space, `ws://127.0.0.1:${proxy.port}`);
  };

  async function roomsOf(space: string): Promise<Map<string, RoomView>> {
    return new Map((await way.rest.rooms(token, space)).map((room) => [room.name, room]));
  }

  /** The whole history of a room, page by page; reads what the log had when this was called. */
  async function historyOf(room: RoomView): Promise<MessageView[]> {
    const position = await way.rest.join(token, room.id);
    const all: MessageView[] = [];
    let query: Record<string, string> = { limit: '25' };
    for (;;) {
      const page = await way.rest.history(token, room.id, query, position);
      all.unshift(...page.messages);
      if (page.nextCursor === undefined) return all;
      query = { limit: '25', before: page.nextCursor };
    }
  }

  async function assertEqualToFile(space: string): Promise<void> {
    const rooms = await roomsOf(space);
    assert.deepEqual([...rooms.keys()].sort(), [...new Set(LINES.map(({ room }) => room))].sort());
    for (const [name, room] of rooms) {
      const history = await historyOf(room);
      const shown = history.map(({ message, userId, username, originalTime, replyTo }) => {
        return { message, userId, username, originalTime, replyTo };
      });
      assert.deepEqual(shown, expectedHistory(name, room.id, history));
    }
  }

  async function untilSent(space: string, messages: number): Promise<void> {
    for (;;) {
      const [first] = (await roomsOf(space)).values();
      const count = first === undefined ? 0 : (await historyOf(first)).length;
      if (count >= messages) return;
      await delay(POLL_MS);
    }
  }

  it('IMP-8 the history of every room is equal to the file, and refusals are counted by code', async () => {
    const { code, output, errors } = await startImport(argsFor('whole')).ended;
    assert.equal(errors, '');
    assert.equal(code, 0, output);
    assert.match(output, /299 \/ 299 events .* done +2 refused/);
    assert.match(
      output,
      /Refused: message_empty 1, message_control_character 1\.|Refused: message_control_character 1, message_empty 1\./,
    );
    assert.match(output, /Sent: 259 messages/);
    await assertEqualToFile('whole');
  }).timeout(30_000);

  it('IMP-8 run again, it sends nothing twice: no room changes', async () => {
    const versions = async () => [...(await roomsOf('whole')).values()].map(({ id, version }) => [id, version]);
    const before = await versions();
    const { code, output } = await startImport(argsFor('whole')).ended;
    assert.equal(code, 0, output);
    assert.match(output, /Sent: 0 messages/);
    await assertEqualToFile('whole');
    assert.deepEqual(await versions(), before);
  }).timeout(30_000);

  it('IMP-8 killed in the middle, twice, and run again, it is as if nothing had happened', async () => {
    for (const messages of [40, 120]) {
      const { child, ended } = startImport(slowly('killed'));
      await untilSent('killed', messages);
      child.kill('SIGKILL');
      await ended;
      assert.equal(child.signalCode, 'SIGKILL');
    }
    const { code, output } = await startImport(argsFor('killed')).ended;
    assert.equal(code, 0, output);
    assert.match(output, /events are there already/);
    await assertEqualToFile('killed');
  }).timeout(60_000);

  it('IMP-10 interrupted by Ctrl-C, it ends with 130 and goes on when it is run again', async () => {
    const { child, ended } = startImport(slowly('interrupted'));
    await untilSent('interrupted', 40);
    child.kill('SIGINT');
    const { code, output } = await ended;
    assert.equal(code, 130, output);
    assert.match(output, /Interrupted\. To go on: /);
    assert.equal((await startImport(argsFor('interrupted')).ended).code, 0);
    await assertEqualToFile('interrupted');
  }).timeout(60_000);

  it('IMP-9 goes on by itself when its connection breaks', async () => {
    const { ended } = startImport(slowly('cut'));
    for (const messages of [40, 90, 140]) {
      await untilSent('cut', messages);
      proxy.cut();
    }
    const { code, output } = await ended;
    assert.equal(code, 0, output);
    await assertEqualToFile('cut');
  }).timeout(60_000);

  const wrong: [string, () => string[], number, RegExp][] = [
    ['no file', () => [], 2, /^import: name exactly one file\n/],
    ['a file that is not there', () => ['nowhere.jsonl'], 2, /^import: nowhere\.jsonl cannot be read: .*\n$/],
    [
      'a server that is not there',
      () => [FILE, '--url', 'http://127.0.0.1:1'],
      1,
      /^import: http:.* cannot be reached: .*\n$/,
    ],
    [
      'a token of no operator',
      () => [...argsFor('x'), '--token', newUser(way, 'mallory').token],
      1,
      /^import: .*operator_only.*\n$/,
    ],
    ['a token that is none', () => [...argsFor('x'), '--token', 'nonsense'], 1, /^import: .*token_invalid.*\n$/],
  ];
  for (const [what, args, code, message] of wrong) {
    it(`IMP-10 says in one line what is wrong: ${what}`, async () => {
      const ended = await startImport(args()).ended;
      assert.match(ended.errors, message);
      assert.equal(ended.code, code);
    });
  }
});

/** What the room must show, by the file. */
function expectedHistory(room: string, roomId: string, history: MessageView[]): object[] {
  const fileId = history[0]?.commandId.split(':')[0] ?? '';
  const isTaken = (line: Line | undefined): line is Line & { text: string } =>
    line?.text !== undefined && checkMessageText(line.text) === null;
  const replyIdOf = (replyTo: number | undefined): string | null => {
    const answered = replyTo === undefined ? undefined : LINES[replyTo];
    return isTaken(answered) ? messageIdOf({ roomId, userId: answered.user, commandId: `${fileId}:${replyTo}` }) : null;
  };
  return LINES.filter((line) => line.room === room && isTaken(line)).map((line) => ({
    message: line.text,
    userId: line.user,
    username: line.user,
    originalTime: line.at,
    replyTo: replyIdOf(line.replyTo),
  }));
}
