// Small histories, each with one thing wrong, and exactly the check that has to find it.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import type { HistoryEntry, Joined, Received } from './history.ts';
import { SimulatedChat } from './simulated-chat.ts';
import { runOf, type SimulatedRun, violationsOf } from './simulated-run.ts';
import {
  acceptedOf,
  append,
  eventFramesOf,
  eventsOf,
  placeOf,
  project,
  remove,
  swap,
  toldPairsOf,
} from './spoiling.ts';

const DETAILS = { spaceId: 'space', name: 'Lobby', description: '' };
const JOIN_RED = { type: 'JoinRoom', roomId: 'red' } as const;
const LEAVE_RED = { type: 'LeaveRoom', roomId: 'red' } as const;

/** Ada has made a public room and a private one. Of the public one bob is a member: versions 1 and 2. */
function beginning(): SimulatedChat {
  const chat = new SimulatedChat();
  chat.command('ada', { type: 'CreateRoom', roomId: 'red', ...DETAILS, isPrivate: false });
  chat.command('ada', { type: 'CreateRoom', roomId: 'blue', ...DETAILS, isPrivate: true });
  chat.command('bob', JOIN_RED);
  return chat;
}

/** The same with sockets: ada's from the newest messages on, bob's from version 1 on; two messages, bob leaves, one more. */
function talk(): { run: SimulatedRun; ofAda: string; ofBob: string } {
  const chat = beginning();
  const [ofAda, ofBob] = [chat.connect('ada'), chat.connect('bob')];
  chat.join(ofAda, 'red');
  chat.join(ofBob, 'red', 1);
  chat.say('ada', 'red', 'one', 'told', 'ws');
  chat.say('bob', 'red', 'two', 'repeated', 'ws');
  chat.settle();
  chat.command('bob', LEAVE_RED);
  chat.say('ada', 'red', 'three', 'told', 'ws');
  return { run: runOf(chat), ofAda, ofBob };
}

async function assertFinds(run: SimulatedRun, ...expected: string[]): Promise<void> {
  const found = (await violationsOf(run)).map(({ check, message }) => `${check}: ${message}`);
  assert.deepEqual([...new Set(found)], expected);
}

function answerTo(run: SimulatedRun, text: string) {
  const invoked = run.history.filter((entry) => entry.kind === 'invoked').filter((entry) => entry.text === text);
  const answer = acceptedOf(run).find(({ attempt }) => invoked.some((entry) => entry.attempt === attempt));
  assert.ok(answer);
  return answer;
}

function framesOf(run: SimulatedRun, socketId: string): Received[] {
  return eventFramesOf(run).filter((frame) => frame.socketId === socketId);
}

function frameAt(run: SimulatedRun, socketId: string, version: number): Received {
  const frame = framesOf(run, socketId).find((one) => placeOf(one).version === version);
  assert.ok(frame);
  return frame;
}

function attempt(entry: HistoryEntry): number {
  assert.ok('attempt' in entry);
  return entry.attempt;
}

function heartbeatAfter(run: SimulatedRun, frame: Received, version: number): void {
  const heartbeat = { ...frame, event: SERVER_FRAMES.heartbeat, data: { roomId: placeOf(frame).roomId, version } };
  run.history.splice(run.history.indexOf(frame) + 1, 0, heartbeat);
}

describe('heartbeats', () => {
  it('FLT-38 finds nothing wrong with one that says what has reached the socket', async () => {
    const { run, ofAda, ofBob } = talk();
    heartbeatAfter(run, frameAt(run, ofAda, 3), 3);
    heartbeatAfter(run, frameAt(run, ofBob, 4), 4);
    await assertFinds(run);
  });

  it('FLT-38 one that says more or less than has reached the socket, or is of a room in which the user is no more', async () => {
    for (const version of [2, 4]) {
      const { run, ofAda } = talk();
      heartbeatAfter(run, frameAt(run, ofAda, 3), version);
      await assertFinds(run, 'delivery: a heartbeat says another version than has reached the socket');
    }
    const { run, ofBob } = talk();
    heartbeatAfter(run, frameAt(run, ofBob, 5), 5);
    await assertFinds(run, 'access: a frame of a room that the socket has not joined');
  });
});

describe('what became of commands', () => {
  it('FLT-1 finds nothing wrong where nothing is', async () => {
    await assertFinds(talk().run);
    const chat = beginning();
    for (const course of ['told', 'untold', 'dropped', 'repeated', 'repeated-anew'] as const) {
      chat.say('ada', 'red', `said and ${course}`, course);
      chat.say('eve', 'red', `refused and ${course}`, course);
      chat.command('bob', LEAVE_RED, course);
      chat.command('bob', JOIN_RED, course);
      chat.command('ada', JOIN_RED, course);
    }
    await assertFinds(runOf(chat));
  });

  it('FLT-3 an acknowledged command that is not in the log', async () => {
    const { run } = talk();
    run.log.events.pop();
    project(run);
    for (const frame of eventFramesOf(run)) if (placeOf(frame).version === 6) remove(run.history, frame);
    await assertFinds(run, 'commands: an acknowledged command is not in the log');
  });

  it('FLT-3 a command that is in the log twice', async () => {
    const chat = beginning();
    chat.say('ada', 'red', 'once');
    const run = runOf(chat);
    const message = eventsOf(run, 'red')[2]?.event;
    assert.ok(message);
    append(run, { ...message, metadata: { ...message.metadata, version: 4 } });
    project(run);
    await assertFinds(run, 'commands: a command is in the log more than once');
  });

  for (const [what, change] of [
    ['position', { position: '1-0' }],
    ['version', { version: 2 }],
    ['id', { id: 'message-of-another' }],
  ] as const) {
    it(`FLT-3 an answer with a wrong ${what}`, async () => {
      const { run } = talk();
      Object.assign(answerTo(run, 'one'), change);
      await assertFinds(run, 'commands: an acknowledged command is not where its answer says');
    });
  }

  it('FLT-3 a command in the log with another text or for another user', async () => {
    const { run } = talk();
    const asked = run.history.filter((entry) => entry.kind === 'invoked');
    Object.assign(asked.find(({ text }) => text === 'one') ?? {}, { text: 'eins' });
    Object.assign(asked.find(({ type }) => type === 'LeaveRoom') ?? {}, { aboutUserId: 'ada' });
    await assertFinds(run, 'commands: the log holds something else than was asked for');
  });

  it('FLT-4 a command that was refused and done', async () => {
    const { run } = talk();
    Object.assign(answerTo(run, 'one'), { kind: 'refused', code: 'busy' });
    await assertFinds(run, 'commands: a command that was never accepted is in the log');
  });

  it('FLT-4 a command of nobody', async () => {
    const { run } = talk();
    const { attempt: asked } = answerTo(run, 'three');
    run.history = run.history.filter((entry) => !('attempt' in entry) || entry.attempt !== asked);
    await assertFinds(run, 'commands: the log holds what nobody asked for');
  });

  it('FLT-5 two attempts that were answered in two ways', async () => {
    const { run } = talk();
    const lost = run.history.find(({ kind }) => kind === 'lost');
    assert.ok(lost);
    Object.assign(lost, { ...answerTo(run, 'two'), position: '1-0', attempt: attempt(lost) });
    await assertFinds(
      run,
      'commands: a command was answered in two ways',
      'commands: an acknowledged command is not where its answer says',
    );
  });

  it('FLT-6 nothing to do where there was something, at a place that is none, or on an outdated state', async () => {
    const chat = beginning();
    chat.command('bob', JOIN_RED);
    const run = runOf(chat);
    const [noop] = acceptedOf(run).filter(({ changed }) => !changed);
    assert.ok(noop);
    await assertFinds(run);
    const right = { ...noop };
    Object.assign(noop, { position: '1-9' });
    await assertFinds(run, 'commands: nothing was done, at a position that is not in the log');
    Object.assign(noop, { version: 1, position: '1-0' });
    await assertFinds(run, 'commands: nothing was done, and there was something to do');
    Object.assign(noop, right, { version: null });
    await assertFinds(run);
    const asked = run.history.filter((entry) => entry.kind === 'invoked').at(-1);
    Object.assign(asked ?? {}, { userId: 'ada', client: 'ada' });
    Object.assign(noop, { version: 1, position: '1-0' });
    await assertFinds(run, 'commands: nothing was done, decided on an outdated state');
  });

  it('FLT-6 refusals that fit no state which had not been seen to be past', async () => {
    const refusedWith = async (code: string, userId: string, ...expected: string[]) => {
      const chat = beginning();
      chat.say('eve', 'red', 'let me in');
      const run = runOf(chat);
      const [asked, refused] = run.history.slice(-2);
      Object.assign(asked ?? {}, { userId });
      Object.assign(refused ?? {}, { code });
      await assertFinds(run, ...expected);
    };
    await refusedWith('not_a_member', 'eve');
    await refusedWith('rate_limited', 'ada');
    await refusedWith('not_a_member', 'ada', 'commands: a member was said to be none');
    await refusedWith('room_not_found', 'ada', 'commands: a room that had been seen was said not to exist');
    await refusedWith('room_archived', 'ada', 'commands: a room was said to be archived that never was');
    await refusedWith('not_invited', 'ada', 'commands: an invitation was asked for where none is needed');
  });

  it('FLT-9 a message before one that was acknowledged when it was asked for', async () => {
    const chat = beginning();
    chat.say('ada', 'red', 'first');
    chat.say('bob', 'red', 'second');
    const run = runOf(chat);
    const [pair] = toldPairsOf(run);
    assert.ok(pair);
    swap(pair.first.logged, pair.second.logged, ['event']);
    swap(pair.first.logged.event.metadata, pair.second.logged.event.metadata, ['version']);
    swap(pair.first.answer, pair.second.answer, ['version', 'position']);
    project(run);
    await assertFinds(run, 'order: a command stands before what had been seen when it was asked for');
  });

  it('FLT-10 messages of one socket, sent without waiting, that changed places', async () => {
    const chat = beginning();
    chat.sayTogether('ada', 'red', ['first', 'second']);
    const run = runOf(chat);
    const texts = run.history.filter((entry) => entry.kind === 'invoked').slice(-2);
    const [first, second] = texts;
    assert.ok(first && second);
    swap(first, second, ['attempt', 'commandId', 'text']);
    await assertFinds(run, 'order: messages of one socket changed places');
    // Of messages that were sent again, or over REST, nothing is promised.
    for (const entry of texts) entry.via = 'rest';
    await assertFinds(run);
  });

  it('FLT-18 a history that is none: an attempt twice, an outcome of nothing, nothing accepted', async () => {
    const { run } = talk();
    const answer = answerTo(run, 'one');
    run.history.push({ ...answer }, { kind: 'lost', at: 0, attempt: 999, reason: '' });
    await assertFinds(run, 'history: an outcome without an attempt, or a second one');
    const empty = { ...runOf(new SimulatedChat()), history: [] };
    await assertFinds(empty, 'history: nothing was accepted, so nothing was tried');
  });
});

describe('the log itself', () => {
  it('FLT-7 versions that are not dense, a key of another stream, a record that is no event', async () => {
    const { run } = talk();
    const [first] = run.log.events.splice(3, 1);
    assert.ok(first);
    const found = await violationsOf(run);
    assert.ok(found.some(({ check, message }) => check === 'log' && message === 'version 4 stands where 3 was due'));
    const { run: other } = talk();
    const last = other.log.events.at(-1);
    assert.ok(last);
    last.key = 'room-blue';
    other.log.unreadable.push({ partition: 0, offset: 9, key: 'room-red', reason: 'noise' });
    await assertFinds(other, 'log: a record that counts is no event', 'log: a key is not its stream');
  });

  it('FLT-8 an event that cannot have been decided on what stands before it', async () => {
    const { run } = talk();
    const joined = eventsOf(run, 'red')[1]?.event;
    assert.ok(joined?.type === 'MemberJoined');
    append(run, { ...joined, roomId: 'red', metadata: { ...joined.metadata, version: 7, commandId: 'again' } });
    append(run, { ...joined, roomId: 'red', metadata: { ...joined.metadata, version: 8, commandId: 'and again' } });
    const found = (await violationsOf(run)).filter(({ check }) => check === 'decisions');
    assert.deepEqual(
      found.map(({ message, details }) => [message, details.version]),
      [['a member joined', 8]],
    );
  });
});

describe('what reached sockets', () => {
  it('FLT-11 a frame with another content, and recent messages with one missing', async () => {
    const { run, ofAda } = talk();
    Object.assign(frameAt(run, ofAda, 3).data ?? {}, { message: 'eins' });
    await assertFinds(run, 'frames: a frame is not what the log holds at its version');
    const chat = beginning();
    chat.say('ada', 'red', 'one');
    chat.join(chat.connect('ada'), 'red');
    const recent = runOf(chat);
    const frame = recent.history.find((entry) => entry.kind === 'received');
    Object.assign(frame?.data ?? {}, { messages: [] });
    await assertFinds(recent, 'frames: recent messages are not those of the log');
  });

  it('FLT-12 a gap, a repetition, a change of places', async () => {
    const { run: gap, ofAda } = talk();
    remove(gap.history, frameAt(gap, ofAda, 4));
    await assertFinds(gap, 'delivery: a version is missing');
    const { run: again, ofAda: twice } = talk();
    again.history.push(frameAt(again, twice, 4));
    await assertFinds(again, 'delivery: a version came again, or too late');
    const { run: swapped, ofAda: mixed } = talk();
    swap(frameAt(swapped, mixed, 3), frameAt(swapped, mixed, 4), ['event', 'data']);
    await assertFinds(swapped, 'delivery: a version is missing', 'delivery: a version came again, or too late');
  });

  it('FLT-12 a socket that was told that it joined before it had everything', async () => {
    const { run, ofBob } = talk();
    remove(run.history, frameAt(run, ofBob, 2));
    await assertFinds(run, 'delivery: a socket had not got everything when it was told that it joined');
    const { run: other, ofAda } = talk();
    remove(
      other.history,
      other.history.find((entry) => entry.kind === 'received' && entry.socketId === ofAda),
    );
    await assertFinds(
      other,
      'delivery: a socket joined without recent messages',
      'delivery: a socket had not got everything when it was told that it joined',
    );
  });

  it('FLT-12 a socket that stayed to the end and did not get the end', async () => {
    const { run, ofAda } = talk();
    remove(run.history, frameAt(run, ofAda, 6));
    await assertFinds(run, 'delivery: a socket that stayed did not get everything');
    // One that went is owed nothing.
    run.history.push({ kind: 'disconnected', at: 0, socketId: ofAda, reason: 'cut' });
    await assertFinds(run);
  });

  it('FLT-12 a room that failed on its node is owed nothing more, until the socket joins again', async () => {
    const { run, ofAda } = talk();
    const data = { code: 'projection_behind', message: '', event: 'join-room', roomId: 'red' };
    const last = frameAt(run, ofAda, 6);
    run.history.splice(run.history.indexOf(last), 1, {
      kind: 'received',
      at: 0,
      socketId: ofAda,
      event: 'error',
      data,
    });
    await assertFinds(run);
    run.history.push(last);
    await assertFinds(run, 'access: a frame of a room that the socket has not joined');
  });

  it('FLT-13 a frame before joining, after leave-room, and after the user has left', async () => {
    const { run, ofBob } = talk();
    run.history.push({ ...frameAt(run, talk().ofAda, 6), socketId: ofBob });
    await assertFinds(run, 'access: a frame of a room that the socket has not joined');
    const { run: early, ofAda } = talk();
    const joining = early.history.findIndex((entry) => entry.kind === 'joining');
    early.history.splice(joining, 0, { ...frameAt(early, ofAda, 3) });
    await assertFinds(early, 'access: a frame of a room that the socket has not joined');
    const { run: left, ofAda: gone } = talk();
    const at = left.history.indexOf(frameAt(left, gone, 4));
    left.history.splice(at, 0, { kind: 'left-room', at: 0, socketId: gone, roomId: 'red' });
    await assertFinds(left, 'access: a frame of a room that the socket has not joined');
  });

  it('FLT-13 a signal of a room after leaving it', async () => {
    const { run, ofBob } = talk();
    const data = { roomId: 'red', userId: 'ada', username: 'the ada' };
    run.history.push({ kind: 'received', at: 0, socketId: ofBob, event: 'typing', data });
    await assertFinds(run, 'access: a frame of a room that the socket has not joined');
  });

  it('FLT-13 a private room that lets an outsider in', async () => {
    const chat = beginning();
    chat.say('ada', 'blue', 'secret');
    const [ofAda, ofBob] = [chat.connect('ada'), chat.connect('bob')];
    chat.join(ofAda, 'blue', 1);
    const run = runOf(chat);
    const leaked = run.history.flatMap((entry) => {
      const isOfAda = 'socketId' in entry && entry.socketId === ofAda && entry.kind !== 'connected';
      return isOfAda ? [{ ...entry, socketId: ofBob }] : [];
    });
    run.history.push(...leaked);
    await assertFinds(
      run,
      'access: an event reached who was no member',
      'access: a socket joined whose user was no member',
    );
  });

  it('FLT-13 a member who is refused as none, and a node that is behind', async () => {
    const { run, ofAda } = talk();
    const joined = run.history.find((entry): entry is Joined => entry.kind === 'joined' && entry.socketId === ofAda);
    assert.ok(joined);
    run.history = run.history.filter((entry) => entry.kind !== 'received' || entry.socketId !== ofAda);
    Object.assign(joined, { kind: 'join-refused', code: 'not_a_member' });
    await assertFinds(run, 'access: a member was said to be none');
    const joining = run.history.find((entry) => entry.kind === 'joining' && entry.socketId === ofAda);
    Object.assign(joining ?? {}, { after: 2 });
    Object.assign(joined, { code: 'version_ahead' });
    await assertFinds(run, 'delivery: a node was behind');
  });
});
