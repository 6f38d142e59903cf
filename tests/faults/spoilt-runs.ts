/* Ways to spoil a run that went right: each changes one thing, and names the checks of which one has to find it. `false`: there is
 * nothing in this run that could be spoilt so.
 *
 * What nobody could see is left out by construction: a frame that gets lost right before its socket goes or asks anew; a frame that
 * comes again while the socket waits for exactly that one; an event that was neither told nor shown to anybody, lost everywhere.
 */
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { expectedFrame } from './expected-frames.ts';
import type { SimulatedRun } from './simulated-run.ts';
import {
  acceptedOf,
  alter,
  alterOne,
  append,
  changePlaces,
  eventFramesOf,
  eventsOf,
  frameFor,
  insertAfter,
  isInTurn,
  isMissed,
  isOverOneSocket,
  messagesIn,
  messagesOf,
  nextOfSeat,
  openQuestion,
  type Pick,
  placeOf,
  project,
  receivedOf,
  remove,
  swap,
  toldOf,
  toldPairsOf,
  userOf,
} from './spoiling.ts';
import type { Check } from './violations.ts';

type Spoiler = { foundBy: readonly Check[]; spoil: (run: SimulatedRun, pick: Pick) => boolean };

const inHistory: Record<string, Spoiler> = {
  'a frame is lost': {
    foundBy: ['delivery'],
    spoil: (run, pick) => {
      const lost = pick(eventFramesOf(run).filter((frame) => isMissed(run, frame)));
      return lost !== undefined && remove(run.history, lost);
    },
  },
  'a frame comes twice': {
    foundBy: ['delivery', 'access'],
    spoil: (run, pick) => {
      const frames = eventFramesOf(run).filter(
        (frame) => openQuestion(run, frame)?.after !== placeOf(frame).version - 1,
      );
      return insertAfter(run, pick(frames), (frame) => frame);
    },
  },
  'two frames change places': {
    foundBy: ['delivery'],
    spoil: (run, pick) => {
      const pairs = eventFramesOf(run).flatMap((frame) => {
        const next = nextOfSeat(run, frame);
        if (next?.kind !== 'received' || next.event === SERVER_FRAMES.recentMessages) return [];
        return placeOf(next).version === placeOf(frame).version + 1 ? [{ frame, next }] : [];
      });
      return alter(pick(pairs), ({ frame, next }) => swap(frame, next, ['event', 'data']));
    },
  },
  'a frame is altered': {
    foundBy: ['frames', 'access'],
    spoil: (run, pick) => alter(pick(eventFramesOf(run)), (frame) => alterOne(frame.data, pick)),
  },
  'recent messages are altered': {
    foundBy: ['frames'],
    spoil: (run, pick) => {
      const found = pick(receivedOf(run).filter((frame) => messagesIn(frame).length > 0));
      return alter(found, (frame) => remove(messagesIn(frame), pick(messagesIn(frame))));
    },
  },
  'a frame reaches a socket that left': {
    foundBy: ['access'],
    spoil: (run, pick) => {
      const left = run.history.filter((entry) => entry.kind === 'left-room');
      return insertAfter(run, pick(left), (entry) => frameFor(run, entry, pick));
    },
  },
  'a frame reaches a socket that has not joined': {
    foundBy: ['access'],
    spoil: (run, pick) => {
      const connected = run.history.filter((entry) => entry.kind === 'connected');
      return insertAfter(run, pick(connected), (entry) => frameFor(run, { ...entry, roomId: 'red' }, pick));
    },
  },
  'a frame reaches whose user has left': {
    foundBy: ['access'],
    spoil: (run, pick) => {
      const leavings = eventFramesOf(run).filter((frame) => {
        const { roomId, version } = placeOf(frame);
        const event = eventsOf(run, roomId)[version - 1]?.event;
        const isOwn = event?.type === 'MemberLeft' && event.userId === userOf(run, frame);
        return isOwn && openQuestion(run, frame) === null && eventsOf(run, roomId).length > version;
      });
      return insertAfter(run, pick(leavings), (frame) => {
        const { roomId, version } = placeOf(frame);
        const next = eventsOf(run, roomId)[version]?.event;
        return next === undefined ? null : { ...frame, ...expectedFrame(next) };
      });
    },
  },
  'a socket joins beyond the log': {
    foundBy: ['frames'],
    spoil: (run, pick) =>
      alter(pick(run.history.filter((entry) => entry.kind === 'joined')), (joined) => {
        joined.version = eventsOf(run, joined.roomId).length + 1;
      }),
  },
  'an answer says another position': {
    foundBy: ['commands'],
    spoil: (run, pick) =>
      alter(pick(acceptedOf(run)), (answer) => Object.assign(answer, { position: `${answer.position}0` })),
  },
  'an answer says another version': {
    foundBy: ['commands'],
    spoil: (run, pick) =>
      alter(pick(acceptedOf(run)), (answer) => Object.assign(answer, { version: (answer.version ?? 0) + 1 })),
  },
  'an answer says another id': {
    foundBy: ['commands'],
    spoil: (run, pick) => alter(pick(toldOf(run)), ({ answer }) => Object.assign(answer, { id: 'other' })),
  },
  'nothing was done is told as done, or the other way round': {
    foundBy: ['commands'],
    spoil: (run, pick) => alter(pick(acceptedOf(run)), (answer) => Object.assign(answer, { changed: !answer.changed })),
  },
  'a refusal is told as done': {
    foundBy: ['commands'],
    spoil: (run, pick) => {
      const other = pick(toldOf(run))?.answer;
      const refused = pick(run.history.filter((entry) => entry.kind === 'refused'));
      return alter(refused, (entry) => Object.assign(entry, { ...other, attempt: entry.attempt }));
    },
  },
  'what was done is told as refused': {
    foundBy: ['commands'],
    spoil: (run, pick) => {
      const once = toldOf(run).filter(({ invoked }) => invoked.length === 1);
      return alter(pick(once), ({ answer }) => Object.assign(answer, { kind: 'refused', code: 'busy' }));
    },
  },
  'a room that was seen is said not to exist': {
    foundBy: ['commands'],
    spoil: (run, pick) => {
      const unchanged = acceptedOf(run).filter(({ changed, roomId }) => !changed && roomId === 'red');
      return alter(pick(unchanged), (answer) => Object.assign(answer, { kind: 'refused', code: 'room_not_found' }));
    },
  },
  'a member is said to be none': {
    foundBy: ['commands'],
    spoil: (run, pick) => {
      if (eventsOf(run, 'red').some(({ event }) => event.type === 'MemberLeft' && event.userId === 'ada')) return false;
      const ofAda = toldOf(run).filter(({ answer, invoked }) => {
        return answer.roomId === 'red' && answer.version !== 1 && invoked[0]?.userId === 'ada';
      });
      return alter(pick(ofAda), ({ answer }) => Object.assign(answer, { kind: 'refused', code: 'not_a_member' }));
    },
  },
  'nobody asked for what is there': {
    foundBy: ['commands'],
    spoil: (run, pick) => {
      const attempts = pick(toldOf(run))?.invoked.map(({ attempt }) => attempt) ?? [];
      run.history = run.history.filter((entry) => !('attempt' in entry && attempts.includes(entry.attempt)));
      return attempts.length > 0;
    },
  },
};

const inLog: Record<string, Spoiler> = {
  'a record is missing': { foundBy: ['log', 'tables'], spoil: ({ log }, pick) => remove(log.events, pick(log.events)) },
  'a record is there twice': {
    foundBy: ['log'],
    spoil: (run, pick) => {
      const logged = pick(run.log.events);
      return logged !== undefined && append(run, logged.event);
    },
  },
  'two records change places': {
    foundBy: ['log'],
    spoil: (run, pick) =>
      alter(pick(toldPairsOf(run)), ({ first, second }) => swap(first.logged, second.logged, ['event'])),
  },
  'a text is altered': {
    foundBy: ['commands'],
    spoil: (run, pick) => alter(pick(messagesOf(run)), (message) => Object.assign(message, { text: 'another' })),
  },
  'a record cannot be read': {
    foundBy: ['log'],
    spoil: ({ log }, pick) => {
      const logged = pick(log.events);
      if (logged !== undefined) log.unreadable.push({ ...logged, reason: 'noise' });
      return logged !== undefined && remove(log.events, logged);
    },
  },
  'the last event of a room, told, is lost everywhere': {
    foundBy: ['commands'],
    spoil: (run, pick) => {
      const last = pick(toldOf(run).filter(({ logged }) => eventsOf(run, logged.event.roomId).at(-1) === logged));
      return last !== undefined && remove(run.log.events, last.logged) && project(run);
    },
  },
  'a message is done twice, everywhere': {
    foundBy: ['commands'],
    spoil: (run, pick) => {
      const message = pick(messagesOf(run));
      if (message === undefined) return false;
      const version = eventsOf(run, message.roomId).length + 1;
      return append(run, { ...message, metadata: { ...message.metadata, version } }) && project(run);
    },
  },
  'an outsider speaks, everywhere': {
    foundBy: ['decisions'],
    spoil: (run, pick) =>
      alter(pick(messagesOf(run)), ({ metadata }) => {
        metadata.actor = { userId: 'eve', username: 'the eve' };
        project(run);
      }),
  },
  'messages told one after the other change places everywhere, with their answers': {
    foundBy: ['order'],
    spoil: (run, pick) => changePlaces(run, pick(toldPairsOf(run).filter((pair) => isInTurn(run, pair)))),
  },
  'messages of one socket change places everywhere, with their answers': {
    foundBy: ['order'],
    spoil: (run, pick) => changePlaces(run, pick(toldPairsOf(run).filter((pair) => isOverOneSocket(run, pair)))),
  },
};

const inProjections: Record<string, Spoiler> = {
  'a row is missing': {
    foundBy: ['tables'],
    spoil: ({ tables }, pick) => {
      const rows = pick(Object.values(tables).filter(({ length }) => length > 0)) ?? [];
      return remove(rows, pick(rows));
    },
  },
  'a row is there twice': {
    foundBy: ['tables'],
    spoil: ({ tables }, pick) => {
      const rows = pick(Object.values(tables).filter(({ length }) => length > 0)) ?? [];
      return rows.push({ ...pick(rows) }) > 1;
    },
  },
  'a column is altered': {
    foundBy: ['tables'],
    spoil: ({ tables }, pick) => alter(pick(Object.values(tables).flat()), (row) => alterOne(row, pick)),
  },
  'a checkpoint stays behind': {
    foundBy: ['projection'],
    spoil: (run, pick) => {
      const logged = pick(run.log.events);
      if (logged !== undefined) run.checkpoints.set(logged.partition, logged.offset);
      return logged !== undefined;
    },
  },
  'a checkpoint is beyond the log': {
    foundBy: ['projection'],
    spoil: ({ checkpoints }) => checkpoints.set(1, (checkpoints.get(1) ?? 0) + 1).size > 0,
  },
  'a stream is parked': {
    foundBy: ['projection'],
    spoil: ({ parked }) => parked.push({ stream: 'room-red', reason: 'noise' }) > 0,
  },
  'a cached room says another version': {
    foundBy: ['cache'],
    spoil: ({ cached }, pick) =>
      alter(pick(cached), (room) => Object.assign(room, { version: room.version + (pick([1, -1]) ?? 1) })),
  },
  'a cached message is missing': {
    foundBy: ['cache'],
    spoil: ({ cached }, pick) => {
      const list = pick(cached.filter((room) => room.messages.length > 0))?.messages ?? [];
      return remove(list, pick(list));
    },
  },
  'a cached message is altered': {
    foundBy: ['cache'],
    spoil: ({ cached }, pick) => alter(pick(cached.flatMap((room) => room.messages)), (one) => alterOne(one, pick)),
  },
  'a cached member is missing': {
    foundBy: ['cache'],
    spoil: ({ cached }, pick) => {
      const memberIds = pick(cached.map((room) => room.memberIds ?? []));
      return memberIds !== undefined && remove(memberIds, pick(memberIds));
    },
  },
  'somebody else is cached as a member': {
    foundBy: ['cache'],
    spoil: ({ cached }, pick) => alter(pick(cached), ({ memberIds }) => memberIds?.push('eve')),
  },
  'a cached room is wrong about older messages': {
    foundBy: ['cache'],
    spoil: ({ cached }, pick) => alter(pick(cached), (room) => Object.assign(room, { hasOlder: !room.hasOlder })),
  },
};

export const SPOILERS: Readonly<Record<string, Spoiler>> = { ...inHistory, ...inLog, ...inProjections };
