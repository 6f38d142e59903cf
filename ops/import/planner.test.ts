import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { messageIdOf } from '../../commands/client/message-id.ts';
import type { ChatLine } from './chat-file.ts';
import { createPlanner, lineOfCommand, type Planner, type Step } from './planner.ts';

const FILE = '0123456789abcdef';
const AT = '2004-11-15T12:18:00.000Z';

const planner = (): Planner =>
  createPlanner({
    fileId: FILE,
    roomIdByName: new Map([
      ['ubuntu', 'U'],
      ['rust', 'R'],
    ]),
  });
const said = (line: number, user: string, rest: Partial<ChatLine> = {}): ChatLine => ({
  line,
  room: 'ubuntu',
  at: AT,
  type: 'message',
  user,
  text: `text ${line}`,
  replyTo: null,
  ...rest,
});
const planAll = (by: Planner, lines: ChatLine[]): Step[] => lines.flatMap((line) => by.plan(line));
const kinds = (steps: Step[]): string[] => steps.map((step) => `${step.kind} ${step.user} ${step.line}`);

describe('planning an import', () => {
  it('IMP-2 lets a user who speaks without having joined join first, once per room', () => {
    const steps = planAll(planner(), [said(0, 'ada'), said(1, 'ada'), said(2, 'ada', { room: 'rust' })]);
    assert.deepEqual(kinds(steps), ['join ada 0', 'message ada 0', 'message ada 1', 'join ada 2', 'message ada 2']);
    assert.deepEqual(
      steps.map((step) => step.commandId),
      [`${FILE}:0:join`, `${FILE}:0`, `${FILE}:1`, `${FILE}:2:join`, `${FILE}:2`],
    );
  });

  it('IMP-2 joins and leaves as the file says, and joins again who speaks after leaving', () => {
    const lines = [said(0, 'ada', { type: 'join' }), said(1, 'ada'), said(2, 'ada', { type: 'leave' }), said(3, 'ada')];
    assert.deepEqual(kinds(planAll(planner(), lines)), [
      'join ada 0',
      'message ada 1',
      'leave ada 2',
      'join ada 3',
      'message ada 3',
    ]);
  });

  it('IMP-3 keeps text, time and name exactly, and sends an action as its text', () => {
    const user = '[D-Tail] ';
    const [, message] = planAll(planner(), [said(0, user, { type: 'action', text: ' <b>waves</b>\t' })]);
    assert.deepEqual(message, {
      kind: 'message',
      line: 0,
      roomId: 'U',
      user,
      commandId: `${FILE}:0`,
      text: ' <b>waves</b>\t',
      replyTo: null,
      originalTime: AT,
    });
  });

  it('IMP-4 replies to the id that the answered message has or will have', () => {
    const steps = planAll(planner(), [said(0, 'ada'), said(1, 'bob', { replyTo: 0 })]);
    const reply = steps.at(-1);
    assert(reply?.kind === 'message');
    assert.equal(reply.replyTo, messageIdOf({ roomId: 'U', userId: 'ada', commandId: `${FILE}:0` }));
  });

  it('IMP-4 leaves a reply out, and counts it, where the line answered can be no message of the room', () => {
    const by = planner();
    const steps = planAll(by, [
      said(0, 'ada', { text: '' }),
      said(1, 'ada', { text: 'bell \u0007' }),
      said(2, 'ada', { type: 'join' }),
      said(3, 'ada', { room: 'rust' }),
      ...[0, 1, 2, 3, 8, 99].map((replyTo, index) => said(4 + index, 'ada', { replyTo })),
    ]);
    const replies = steps.flatMap((step) => (step.kind === 'message' && step.line >= 4 ? [step.replyTo] : []));
    assert.deepEqual(replies.filter((replyTo) => replyTo !== null).length, 0);
    assert.equal(by.lostReplies, 6);
  });

  it('IMP-5 sends what the rules will refuse, because refusing is the rules’ business', () => {
    assert.deepEqual(kinds(planAll(planner(), [said(0, 'ada', { text: '' })])), ['join ada 0', 'message ada 0']);
  });

  it('IMP-6 knows its own commandIds from those of others', () => {
    assert.equal(lineOfCommand(FILE, `${FILE}:17`), 17);
    for (const other of [`${FILE}:17:join`, 'ffff:17', `${FILE}:`, '', '0190b0a4-0000-7000-8000-000000000000'])
      assert.equal(lineOfCommand(FILE, other), null);
  });
});
