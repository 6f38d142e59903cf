// What a run of the simulation begins with. All of it is drawn by fast-check, so a seed and a path say a run to the last step, and a
// failing one shrinks: to fewer wishes, fewer faults.
import fc from 'fast-check';

/** What becomes of one request to the broker. Turns are how long something is on its way beyond the ordinary. */
export type Fate =
  | { kind: 'arrives' }
  /** It never reaches the broker. */
  | { kind: 'requestLost' }
  /** The broker does it; nobody hears of that. */
  | { kind: 'answerLost' }
  /** Its sender has given it up, and it arrives after all. */
  | { kind: 'late'; turns: number }
  /** It arrives, and then arrives again. */
  | { kind: 'duplicated'; turns: number }
  /** It is answered with an error, done or not. */
  | { kind: 'error'; code: number; isDone: boolean };

/** What happens so many turns after what happened before. */
export type Mishap = { afterTurns: number } & Happening;

/** To everybody (`leap`: so much time passes at once that deadlines do), or to a process. */
type Happening =
  | { kind: 'leap'; ms: number }
  /** All connections break. Of the requests under way those are done first whose bit is set. */
  | { kind: 'restart'; done: number }
  /** The same, and for so many turns nobody can connect. */
  | { kind: 'outage'; done: number; turns: number }
  /** It stands still for so many turns, and goes on without knowing it. */
  | { kind: 'freeze'; node: number; turns: number }
  /** It dies; a new one takes its place. */
  | { kind: 'crash'; node: number }
  /** It stops in order; a new one takes its place. */
  | { kind: 'stop'; node: number };

export type WishKind = 'create' | 'join' | 'leave' | 'invite' | 'rename' | 'archive' | 'send';

export type Wish = {
  kind: WishKind;
  room: number;
  /** The node that is asked first; the next one is asked next. */
  node: number;
  /** Turns after which its sender waits no longer for that node; null: as long as it takes. */
  patience: number | null;
  /** Asked of two nodes at once, the second one being so many further (0: the same one twice); null: not. */
  twin: number | null;
  /** How often it is tried at most; null: until there is an answer. */
  tries: number | null;
};

/** Reads the log once, after so many turns, from somewhere in it. */
export type Reading = { afterTurns: number; from: number };

export type Scenario = {
  scheduler: fc.Scheduler;
  nodes: number;
  /** By client. */
  wishes: Wish[][];
  fates: Fate[];
  mishaps: Mishap[];
  readings: Reading[];
};

export const ROOMS = 2;

/** The broker says these before it writes. */
const NOT_WRITTEN = [10, 18, 19, 29, 87];
/** These it may say before or after: the leader moved, the wait for replicas was too long, they were too few, or nobody knows. */
const UNCLEAR = [6, 7, 20, -1];

const turns = fc.nat(24);
const node = fc.nat(2);

const fate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Fate>({ kind: 'arrives' }) },
  { weight: 1, arbitrary: fc.constant<Fate>({ kind: 'requestLost' }) },
  { weight: 2, arbitrary: fc.constant<Fate>({ kind: 'answerLost' }) },
  { weight: 2, arbitrary: turns.map((count): Fate => ({ kind: 'late', turns: count })) },
  { weight: 1, arbitrary: turns.map((count): Fate => ({ kind: 'duplicated', turns: count })) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Fate>(
      ...NOT_WRITTEN.map((code): Fate => ({ kind: 'error', code, isDone: false })),
      ...UNCLEAR.flatMap((code): Fate[] => [
        { kind: 'error', code, isDone: false },
        { kind: 'error', code, isDone: true },
      ]),
    ),
  },
);

const mishap: fc.Arbitrary<Mishap> = fc
  .tuple(
    turns,
    fc.constantFrom('freeze', 'freeze', 'crash', 'stop', 'leap', 'restart', 'outage'),
    node,
    turns,
    fc.nat(255),
  )
  .map(([afterTurns, kind, one, count, done]): Mishap => {
    if (kind === 'freeze') return { afterTurns, kind, node: one, turns: 2 * count };
    if (kind === 'leap') return { afterTurns, kind, ms: 100 * count };
    if (kind === 'restart') return { afterTurns, kind, done };
    if (kind === 'outage') return { afterTurns, kind, done, turns: count };
    return { afterTurns, kind, node: one };
  });

const wish: fc.Arbitrary<Wish> = fc.record({
  kind: fc.constantFrom(
    ...(['send', 'send', 'send', 'send', 'join', 'join', 'leave', 'leave'] as const),
    ...(['create', 'invite', 'rename', 'archive'] as const),
  ),
  room: fc.constantFrom(0, 0, 1),
  node,
  patience: fc.option(turns, { freq: 2 }),
  twin: fc.option(fc.nat(1), { freq: 2 }),
  tries: fc.option(fc.integer({ min: 1, max: 2 }), { freq: 2 }),
});

/** Bounds from above; of nodes one is drawn. */
export type Sizes = { nodes: number[]; clients: number; wishes: number; fates: number; mishaps: number };

/** Two or three owners of one partition and a few clients: small enough that much can happen to one of them, and be understood. */
export const SMALL: Sizes = { nodes: [2, 2, 3], clients: 3, wishes: 4, fates: 40, mishaps: 4 };
/** More of everything. */
export const LARGE: Sizes = { nodes: [3, 4], clients: 5, wishes: 6, fates: 100, mishaps: 10 };

/** Arrays of any length within the bounds: by itself fast-check prefers short ones, to which little happens. */
export function scenarios({ nodes, clients, wishes, fates, mishaps }: Sizes): fc.Arbitrary<Scenario> {
  return fc.record({
    scheduler: fc.scheduler(),
    nodes: fc.constantFrom(...nodes),
    wishes: fc.array(fc.array(wish, { minLength: 1, maxLength: wishes, size: 'max' }), {
      minLength: 2,
      maxLength: clients,
      size: 'max',
    }),
    fates: fc.array(fate, { maxLength: fates, size: 'max' }),
    mishaps: fc.array(mishap, { maxLength: mishaps, size: 'max' }),
    readings: fc.array(fc.record({ afterTurns: turns, from: fc.nat(40) }), { maxLength: 2 }),
  });
}
