import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { Step } from './planner.ts';
import { Schedule } from './schedule.ts';

const ROOM = 'room';
type Kind = Step['kind'];

const makeStep = (kind: Kind, line: number, user: string, part = 0): Step => {
  const shared = { line, roomId: ROOM, user, commandId: `f:${line}:${part}` };
  if (kind !== 'message') return { kind, ...shared };
  return { kind, ...shared, text: 'x', replyTo: null, originalTime: '2004-11-15T12:18:00.000Z' };
};

/** Lines of a chat of three users; a line has no step, one, or a join and a message. */
const chat = fc.array(
  fc.record({
    user: fc.constantFrom('a', 'b', 'c'),
    kinds: fc.constantFrom<Kind[]>([], ['join'], ['leave'], ['message'], ['join', 'message']),
  }),
  { maxLength: 60 },
);

describe('the schedule of an import', () => {
  it('IMP-7 keeps the order of messages and of each user, stays in the window, and comes to an end, whatever is answered first', () => {
    fc.assert(
      fc.property(chat, fc.integer({ min: 1, max: 20 }), fc.infiniteStream(fc.nat()), (lines, size, choices) => {
        const schedule = new Schedule(size, 0);
        const started: Step[] = [];
        const open: Step[] = [];
        const planned: Step[][] = lines.map(({ user, kinds }, line) =>
          kinds.map((kind, part) => makeStep(kind, line, user, part)),
        );
        let next = 0;

        const start = (step: Step): void => {
          const before = planned
            .flat()
            .filter(
              (other) => other.user === step.user && planned.flat().indexOf(other) < planned.flat().indexOf(step),
            );
          const unsettled = before.filter((other) => !started.includes(other) || open.includes(other));
          assert(
            unsettled.every((other) => step.kind === 'message' && other.kind === 'message' && started.includes(other)),
            'law 2',
          );
          assert(step.line < schedule.firstOpenLine + size, 'law 3');
          started.push(step);
          open.push(step);
        };

        while (next < planned.length || open.length > 0 || !schedule.isEmpty) {
          const before = started.length + next;
          while (next < planned.length && schedule.hasRoom) schedule.add(next, planned[next++] ?? []);
          for (let step = schedule.takeMembership(); step; step = schedule.takeMembership()) start(step);
          for (let step = schedule.takeMessage(); step; step = schedule.takeMessage()) start(step);
          assert(open.length > 0 || started.length + next > before, 'it is stuck');
          const index = open.length === 0 ? -1 : (choices.next().value ?? 0) % open.length;
          for (const answered of index < 0 ? [] : open.splice(index, 1)) schedule.done(answered);
        }

        assert.equal(started.length, planned.flat().length, 'every step is started once');
        const messages = started.filter((step) => step.kind === 'message').map((step) => step.line);
        assert.deepEqual(
          messages,
          messages.toSorted((a, b) => a - b),
          'law 1',
        );
        assert.equal(schedule.firstOpenLine, planned.length);
      }),
      { numRuns: 300 },
    );
  });

  it('IMP-7 lets a join start ahead of its turn, and the message behind it wait without a later one overtaking', () => {
    const schedule = new Schedule(10, 0);
    const [first, join, late, last] = [
      makeStep('message', 0, 'a'),
      makeStep('join', 1, 'b', 0),
      makeStep('message', 1, 'b', 1),
      makeStep('message', 2, 'a'),
    ];
    schedule.add(0, [first]);
    schedule.add(1, [join, late]);
    schedule.add(2, [last]);
    assert.equal(schedule.takeMembership(), join);
    assert.equal(schedule.takeMessage(), first);
    assert.equal(schedule.takeMessage(), undefined);
    schedule.done(first);
    schedule.done(join);
    assert.equal(schedule.takeMessage(), late);
    assert.equal(schedule.takeMessage(), last);
  });
});
