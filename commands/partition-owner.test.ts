import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { until } from '../event-log/contract/log-probe.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { ConnectionFaults } from '../event-log/event-log-contract.ts';
import { openMemoryEventLog } from '../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../event-log/memory/memory-store.ts';
import { createMemoryWrittenPositions } from '../platform/written-positions.ts';
import { type Command, parsePosition, streamOfRoom } from '../schemas/commands.ts';
import { LIMITS } from '../schemas/limits.ts';
import { ADA, BOB, command, EVE } from '../tests/support/given-when-then.ts';
import { assertRejected, eventsOf, mustAccept, openWriteSide, type WriteSide } from '../tests/support/write-side.ts';

const ROOM = 'lobby';
const create = (roomId = ROOM): Command =>
  command(ADA, { type: 'CreateRoom', roomId, spaceId: 's', name: 'Lobby', description: '', isPrivate: false });
const join = (by = BOB, more: Partial<Command> = {}): Command => command(by, { type: 'JoinRoom', roomId: ROOM }, more);
const leave = (by = BOB): Command => command(by, { type: 'LeaveRoom', roomId: ROOM });
let sends = 0;
const send = (text = 'hi', more: Partial<Command> = {}, by = ADA): Command => {
  const messageId = `0199c0de-0000-7000-8000-${String(++sends).padStart(12, '0')}`;
  const body = { type: 'SendMessage', roomId: ROOM, messageId, text, replyTo: null, originalTime: null } as const;
  return command(by, body, more);
};

describe('the owner of a partition', () => {
  let store: MemoryStore;
  let log: EventLog;
  let far: EventLog;
  let faults: ConnectionFaults;
  let side: WriteSide;

  beforeEach(async () => {
    store = new MemoryStore(1);
    ({ log } = openMemoryEventLog(store));
    ({ log: far, faults } = openMemoryEventLog(store, { timeoutMs: 100 }));
    side = await openWriteSide(far);
  });

  afterEach(async () => {
    await side.stop();
    await far.close();
    await log.close();
  });

  const texts = async () =>
    (await eventsOf(log)).flatMap(({ event }) => (event.type === 'MessageSent' ? [event.text] : []));
  /** Something another node wrote behind the owner's back. */
  const writeElsewhere = async (...commands: Command[]) => {
    const { log: otherLog } = openMemoryEventLog(store);
    const other = await openWriteSide(otherLog);
    for (const one of commands) mustAccept(await other.execute(one));
    await other.stop();
    await otherLog.close();
  };

  it('READ-18 tells readers how far the log was written, as soon as it has read it', async () => {
    await side.execute(create());
    const { position } = mustAccept(await side.execute(join()));
    const written = createMemoryWrittenPositions();
    const next = await openWriteSide(log, { written });
    await next.stop();
    const offset = (await written.last()).get(0) ?? -1;
    assert.ok(offset >= (parsePosition(position)?.offset ?? 0), `${offset} is not behind ${position}`);
    assert.ok(offset < (await log.head(0)));
  });

  it('CMD-1 tells an acceptance when the event is in the log, and where', async () => {
    const made = mustAccept(await side.execute(create()));
    assert.deepEqual(made, {
      roomId: ROOM,
      id: ROOM,
      version: 1,
      position: '0-0',
      occurredAt: made.occurredAt,
      changed: true,
    });
    const wish = send();
    const sent = mustAccept(await side.execute(wish));
    const found = await eventsOf(log);
    assert.equal(found.length, 2);
    assert.equal(sent.position, `0-${found[1]?.offset}`);
    assert.equal(sent.version, found[1]?.event.metadata.version);
    assert.ok(wish.body.type === 'SendMessage' && sent.id === wish.body.messageId);
    assert.deepEqual(found[1]?.event.metadata, {
      eventId: found[1]?.event.metadata.eventId,
      stream: streamOfRoom(ROOM),
      version: 2,
      actor: ADA,
      onBehalfOf: null,
      occurredAt: wish.now,
      commandId: wish.commandId,
      correlationId: wish.correlationId,
    });
  });

  it('CMD-2 what waits leaves together: a thousand commands are a few appends, in the order they came', async () => {
    await side.execute(create());
    const answers = await Promise.all(Array.from({ length: 1_000 }, (_, index) => side.execute(send(`${index}`))));
    assert.deepEqual(
      answers.map((answer) => mustAccept(answer).version),
      answers.map((_, index) => index + 2),
    );
    const appends = await side.registry.getMetricsAsJSON();
    const counts = appends.find(({ name }) => name === 'roomlog_commands_append_records')?.values ?? [];
    const count = counts.find((value) => 'metricName' in value && String(value.metricName).endsWith('_count'));
    assert.ok((count?.value ?? 1_000) < 10, `${count?.value} appends`);
    assert.deepEqual(
      await texts(),
      Array.from({ length: 1_000 }, (_, index) => `${index}`),
    );
  });

  it('decides on the state that the commands before it leave behind, in one append', async () => {
    const answers = await Promise.all(
      [create(), join(), send('one', {}, BOB), leave(), send('no', {}, BOB)].map(side.execute),
    );
    for (const answer of answers.slice(0, 4)) mustAccept(answer);
    assertRejected(answers[4] ?? { rejected: 'busy' }, 'not_a_member');
    assert.deepEqual(await texts(), ['one']);
  });

  describe('CMD-3 a repeated commandId gets the first answer', () => {
    it('in the same append', async () => {
      await side.execute(create());
      const wish = send('once');
      const [first, again] = await Promise.all([side.execute(wish), side.execute({ ...wish, now: wish.now + 5 })]);
      assert.deepEqual(again, first);
      assert.deepEqual(await texts(), ['once']);
    });

    it('later, and after a restart that reads it from the log', async () => {
      await side.execute(create());
      const wish = send('once');
      const first = mustAccept(await side.execute(wish));
      await side.execute(send('another'));
      const repeated = { ...wish, now: wish.now + 60_000, correlationId: 'another-request' };
      assert.deepEqual(await side.execute(repeated), first);
      await side.stop();
      side = await openWriteSide(far);
      assert.deepEqual(await side.execute(repeated), first);
      assert.deepEqual(await texts(), ['once', 'another']);
    });

    it('when the first went through another node', async () => {
      await side.execute(create());
      const wish = send('once');
      await writeElsewhere(wish);
      mustAccept(await side.execute(wish));
      assert.deepEqual(await texts(), ['once']);
    });

    it('for a creation too', async () => {
      const wish = create();
      const first = mustAccept(await side.execute(wish));
      assert.deepEqual(await side.execute(wish), first);
    });

    it('each user for himself', async () => {
      for (const one of [create(), join()]) mustAccept(await side.execute(one));
      mustAccept(await side.execute(send('of ada', { commandId: '1' }, ADA)));
      mustAccept(await side.execute(send('of bob', { commandId: '1' }, BOB)));
      mustAccept(await side.execute(send('for bob', { commandId: '2', onBehalfOf: BOB, isOperator: true }, EVE)));
      mustAccept(await side.execute(send('for bob', { commandId: '2' }, BOB)));
      assert.deepEqual(await texts(), ['of ada', 'of bob', 'for bob']);
    });
  });

  it(`CMD-4 the newest ${LIMITS.rememberedCommands} commands of a room and those of a day are remembered, older ones count as new`, async () => {
    const made = create();
    await side.execute(made);
    const at = (ms: number) => ({ now: made.now + ms });
    const [oldest, second, ofTheDay] = [send('oldest', at(0)), send('second', at(1)), send('of the day', at(2))];
    for (const wish of [oldest, second, ofTheDay]) mustAccept(await side.execute(wish));
    const more = LIMITS.rememberedCommands + 10;
    await Promise.all(Array.from({ length: more }, () => side.execute(send('more', at(2)))));
    const first = mustAccept(await side.execute({ ...oldest, ...at(LIMITS.rememberedMs) }));
    assert.equal(first.version, 2);
    mustAccept(await side.execute(send('a day later', at(LIMITS.rememberedMs + 2))));
    for (const wish of [oldest, ofTheDay]) mustAccept(await side.execute({ ...wish, ...at(LIMITS.rememberedMs + 2) }));
    const found = await texts();
    assert.equal(found.filter((text) => text === 'of the day').length, 1);
    assert.equal(found.filter((text) => text === 'oldest').length, 2);
  });

  it('CMD-5 a commandId used again for something else is refused with invalid_request', async () => {
    await side.execute(create());
    mustAccept(await side.execute(send('one', { commandId: 'x' })));
    assertRejected(await side.execute(send('two', { commandId: 'x' })), 'invalid_request');
    assertRejected(await side.execute(join(ADA, { commandId: 'x' })), 'invalid_request');
    const [, other] = await Promise.all([
      side.execute(send('three', { commandId: 'y' })),
      side.execute(send('four', { commandId: 'y' })),
    ]);
    assertRejected(other, 'invalid_request');
  });

  it('a command with nothing to do is told so, with the position of what is there', async () => {
    await side.execute(create());
    const joined = mustAccept(await side.execute(join()));
    const again = mustAccept(await side.execute(join()));
    assert.deepEqual([again.changed, again.version, again.position], [false, joined.version, joined.position]);
    const [left, leftAgain] = await Promise.all([side.execute(leave()), side.execute(leave())]);
    assert.equal(mustAccept(leftAgain).changed, false);
    assert.equal(mustAccept(leftAgain).position, mustAccept(left).position);
  });

  it(`CMD-6 more than ${LIMITS.commandsPerPartition} waiting commands are refused with busy`, async () => {
    mustAccept(await side.execute(create()));
    faults.swallowAnswers();
    const many = Array.from({ length: LIMITS.commandsPerPartition + 3 }, () => side.execute(join()));
    const last = await Promise.all(many.slice(-3));
    for (const answer of last) assertRejected(answer, 'busy');
    for (const answer of await Promise.all(many.slice(0, -3))) mustAccept(answer);
  });

  it('CMD-7 a conflict is read up to and decided again', async () => {
    await side.execute(create());
    await writeElsewhere(join(), send('elsewhere'));
    mustAccept(await side.execute(send('of bob', {}, BOB)));
    assert.deepEqual(await texts(), ['elsewhere', 'of bob']);
    assert.equal(await side.metric('roomlog_commands_conflicts_total'), 1);
  });

  it('CMD-8 an append that landed without an answer is accepted, and not done twice', async () => {
    await side.execute(create());
    faults.swallowAnswers();
    const answers = await Promise.all([side.execute(send('one')), side.execute(send('two'))]);
    const found = await eventsOf(log);
    assert.deepEqual(
      answers.map((answer) => mustAccept(answer).position),
      found.slice(1).map(({ offset }) => `0-${offset}`),
    );
    assert.deepEqual(await texts(), ['one', 'two']);
    assert.equal(await side.metric('roomlog_commands_settles_total'), 1);
    mustAccept(await side.execute(send('three')));
  });

  it('CMD-9 an append that never arrived is decided again, also when it arrives in the end', async () => {
    await side.execute(create());
    faults.holdRequests();
    const answer = mustAccept(await side.execute(send('late')));
    await faults.releaseRequests();
    assert.deepEqual(await texts(), ['late']);
    const event = (await eventsOf(log)).at(-1);
    assert.equal(answer.position, `0-${event?.offset}`);
    mustAccept(await side.execute(send('after')));
  });

  it('CMD-16 a refusal is told when the log has confirmed the state it was decided on', async () => {
    await side.execute(create());
    faults.holdRequests();
    let isRefused = false;
    const joining = side.execute(join());
    const leaving = side.execute(leave());
    const sending = side.execute(send('no', {}, BOB)).finally(() => {
      isRefused = true;
    });
    await until('the append is on its way', async () => (await side.metric('roomlog_commands_waiting')) === 0);
    assert.equal(isRefused, false);
    mustAccept(await joining);
    mustAccept(await leaving);
    assertRejected(await sending, 'not_a_member');
    await writeElsewhere(join());
    assert.equal(mustAccept(await side.execute(join())).changed, false);
    await writeElsewhere(leave());
    assertRejected(await side.execute(send('no', {}, BOB)), 'not_a_member');
    await writeElsewhere(join());
    mustAccept(await side.execute(send('yes', {}, BOB)));
  });

  it('CMD-17 a record that is no event stops its own stream only: unavailable', async () => {
    await side.execute(create());
    await side.execute(create('other'));
    await side.stop();
    await log.append(0, await log.head(0), [{ key: streamOfRoom(ROOM), value: Buffer.from('poison') }]);
    side = await openWriteSide(far);
    assertRejected(await side.execute(send()), 'unavailable');
    mustAccept(await side.execute(command(BOB, { type: 'JoinRoom', roomId: 'other' })));
    assert.equal(await side.metric('roomlog_commands_broken_streams'), 1);
    assert.match(String(side.executor.noteOnStreams()), /^1 cannot be read: room-lobby$/);
  });

  describe('while the log is away', () => {
    it('CMD-18 commands are told log_unavailable within 2 s, then at once, and all is well when it is back', async () => {
      await side.execute(create());
      await faults.refuse();
      const began = Date.now();
      assertRejected(await side.execute(send('unknown', { commandId: 'x' })), 'log_unavailable');
      const took = Date.now() - began;
      assert.ok(took >= 1_000 && took < 2_000, `took ${took} ms`);
      await until('the owner has noticed', () => {
        try {
          side.executor.checkLog();
          return false;
        } catch {
          return true;
        }
      });
      const beganAgain = Date.now();
      assertRejected(await side.execute(send('at once')), 'log_unavailable');
      assert.ok(Date.now() - beganAgain < 100);
      assert.deepEqual(await texts(), []);
      await faults.accept();
      await until(
        'commands are taken again',
        async () => 'position' in (await side.execute(send('back', { commandId: 'y' }))),
      );
      assert.deepEqual(await texts(), ['back']);
      side.executor.checkLog();
    });

    it('CMD-19 an append that landed is settled in the end: repeating the command gives its answer', async () => {
      await side.execute(create());
      faults.swallowAnswers();
      const wish = send('landed', { commandId: 'x' });
      const answering = side.execute(wish);
      await until('it is in the log', async () => (await texts()).length === 1);
      await faults.refuse();
      assertRejected(await answering, 'log_unavailable');
      await faults.accept();
      await until('the answer is known', async () => 'position' in (await side.execute(wish)));
      assert.equal(mustAccept(await side.execute(wish)).version, 2);
      assert.deepEqual(await texts(), ['landed']);
    });
  });

  describe('stopping', () => {
    it('brings what waits to an end, and takes nothing more', async () => {
      await side.execute(create());
      const answering = [send('one'), send('two')].map(side.execute);
      await side.stop();
      for (const answer of await Promise.all(answering)) mustAccept(answer);
      assertRejected(await side.execute(send()), 'unavailable');
    });

    it('does not wait longer for a log that is away than its commands do', async () => {
      await side.execute(create());
      await faults.refuse();
      const answering = side.execute(send());
      const began = Date.now();
      await until('the append has failed', async () => (await side.metric('roomlog_commands_waiting')) === 0);
      await side.stop();
      assertRejected(await answering, 'log_unavailable');
      assert.ok(Date.now() - began < LIMITS.commandMs + 500);
    });
  });
});
