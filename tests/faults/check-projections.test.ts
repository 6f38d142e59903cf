// Tables and caches with one thing wrong, and what the report says.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { toFrame } from '../../realtime/frames/to-frame.ts';
import { arbitraryEvent } from '../support/arbitraries.ts';
import { formatReport } from './check-run.ts';
import { expectedFrame } from './expected-frames.ts';
import type { HistoryEntry } from './history.ts';
import { readHistory } from './history-file.ts';
import { SimulatedChat } from './simulated-chat.ts';
import { runOf, type SimulatedRun, violationsOf } from './simulated-run.ts';
import { Violations } from './violations.ts';

/** A room with two members, one of whom has left, an invitation, and 101 messages. */
function longTalk(): SimulatedRun {
  const chat = new SimulatedChat();
  const details = { spaceId: 'space', name: 'Lobby', description: '', isPrivate: false };
  chat.command('ada', { type: 'CreateRoom', roomId: 'red', ...details });
  chat.command('bob', { type: 'JoinRoom', roomId: 'red' });
  chat.command('cy', { type: 'JoinRoom', roomId: 'red' });
  chat.command('cy', { type: 'LeaveRoom', roomId: 'red' });
  chat.command('bob', { type: 'InviteMember', roomId: 'red', userId: 'dee' });
  for (let count = 1; count <= 101; count++) chat.say('ada', 'red', `message ${count}`);
  return runOf(chat);
}

async function assertFinds(run: SimulatedRun, ...expected: string[]): Promise<void> {
  const found = (await violationsOf(run)).map(({ check, message }) => `${check}: ${message}`);
  assert.deepEqual(found, expected);
}

describe('the history in PostgreSQL against the log', () => {
  it('FLT-14 a missing row, one too many, one twice, a wrong one, in any table', async () => {
    for (const table of ['rooms', 'memberships', 'invitations', 'messages', 'room_events'] as const) {
      const run = longTalk();
      const rows = run.tables[table];
      const [row] = rows;
      assert.ok(row, table);
      rows.shift();
      await assertFinds(run, 'tables: a row is missing');
      rows.push(row, { ...row });
      await assertFinds(run, 'tables: a row is there twice');
      rows[rows.length - 1] = { ...row, room_id: 'green' };
      await assertFinds(run, 'tables: a row too many');
      rows.splice(-2, 2, { ...row, extra: true });
      await assertFinds(run, 'tables: a row is wrong');
    }
  });

  it('FLT-15 a checkpoint behind the last event or beyond the log, and a parked stream', async () => {
    const run = longTalk();
    const head = run.log.heads.get(1) ?? 0;
    run.log.heads.set(1, head + 2);
    await assertFinds(run);
    run.checkpoints.set(1, head - 1);
    run.cached = [];
    await assertFinds(run, 'projection: a checkpoint is behind the end of the log');
    run.checkpoints.set(1, head + 3);
    await assertFinds(run, 'projection: a checkpoint is beyond the log', 'cache: the cache is beyond the log');
    run.checkpoints.set(1, head);
    run.parked.push({ stream: 'room-red', reason: 'noise' });
    await assertFinds(run, 'projection: a stream is parked');
  });
});

describe('the hot cache against the log', () => {
  it('FLT-16 a version ahead or outdated, other messages, other members, a wrong word about older ones', async () => {
    const run = longTalk();
    const [room] = run.cached;
    assert.ok(room?.memberIds);
    assert.equal(room.messages.length, 100);
    room.version += 1;
    await assertFinds(run, 'cache: a version is cached that is not in the log');
    room.version -= 1;
    room.hasOlder = false;
    await assertFinds(run, 'cache: the cache is wrong about older messages');
    room.hasOlder = true;
    room.memberIds.push('cy');
    await assertFinds(run, 'cache: cached members are not those of the log');
    room.memberIds = null;
    await assertFinds(run);
    const [oldest] = room.messages.splice(0, 1);
    await assertFinds(run, 'cache: cached messages are not those of the log');
    room.messages.push(oldest);
    await assertFinds(run, 'cache: cached messages are not those of the log');
  });

  it('FLT-16 a room as it once was is right only where the cache is behind', async () => {
    const run = longTalk();
    const [room] = run.cached;
    const [, newest] = [room?.messages.pop(), run.tables.messages.find(({ version }) => version === 6)];
    assert.ok(room && newest);
    const { messages } = room;
    messages.unshift({ ...(messages[0] ?? {}), ...messageOfRow(newest) });
    room.version -= 1;
    room.hasOlder = false;
    await assertFinds(run, 'cache: an outdated room stays in the cache');
    const behind = (run.log.heads.get(1) ?? 0) - 1;
    run.checkpoints.set(1, behind);
    await assertFinds(run, 'projection: a checkpoint is behind the end of the log');
  });
});

describe('what a run is held to', () => {
  it('FLT-11 frames are expected as the service makes them', () => {
    fc.assert(fc.property(arbitraryEvent, (event) => assert.deepEqual(expectedFrame(event), toFrame(event))));
  });

  it('FLT-18 a history with a broken line cannot be checked', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'roomlog-check-'));
    try {
      const file = join(folder, 'history.jsonl');
      const entries = [{ kind: 'lost', at: 1, attempt: 1, reason: '' }];
      await writeFile(file, `${JSON.stringify(entries[0])}\n`);
      assert.deepEqual(await entriesOf(file), entries);
      await writeFile(file, '{"kind":"lo');
      await assert.rejects(entriesOf(file), /:1 is no JSON/);
      await writeFile(file, '[1]\n');
      await assert.rejects(entriesOf(file), /:1 is no entry of a history/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('FLT-18 a report counts every violation and shows the first ones of each check', () => {
    const violations = new Violations();
    for (let at = 0; at < 1_000; at++) violations.add('frames', 'a frame is wrong', { text: 'x'.repeat(5_000) });
    violations.add('cache', 'a room is wrong', { roomId: 'red' });
    const counts = { operations: 3, attempts: 4, accepted: 2, refused: 1, lost: 1, sockets: 2, frames: 9, faults: 1 };
    const report = {
      ...counts,
      events: 2,
      violations: violations.kept,
      violationsByCheck: Object.fromEntries(violations.countByCheck),
    };
    const text = formatReport(report);
    assert.match(text, /^3 operations, 4 attempts, 2 accepted/);
    assert.match(text, /VIOLATIONS: 1000 of frames, 1 of cache/);
    assert.match(text, /- cache: a room is wrong\n {4}\{"roomId":"red"\}/);
    assert.ok(text.length < 20_000);
    const good = formatReport({ ...report, violations: [], violationsByCheck: {} });
    assert.match(good, /No violation found\./);
  });
});

async function entriesOf(file: string): Promise<HistoryEntry[]> {
  const entries: HistoryEntry[] = [];
  for await (const entry of readHistory(file)) entries.push(entry);
  return entries;
}

function messageOfRow(row: Record<string, unknown>): object {
  const { message_id: id, text: message, version, command_id: commandId, occurred_at_ms: at } = row;
  return { id, message, version, commandId, timestamp: new Date(Number(at)).toISOString() };
}
