// Who works on which partitions, on Kafka: membership of a consumer group, without consuming. The broker keeps the list of members
// and their sessions; the member that it names leader shares the partitions out, and every member is told all of it
// (docs/decisions/0007-ownership.md). Nothing is fetched and no offset is committed here.
import { withDeadline } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/logger.ts';
import { systemTime } from '../../platform/time.ts';
import { LogSettingsError, LogUnavailableError } from '../event-log.ts';
import type { Assignment, Ownership, OwnershipOptions } from '../ownership/ownership.ts';
import { type Membership, type Part, TakingPart } from '../ownership/taking-part.ts';
import {
  findCoordinatorRequest,
  GROUP_CODES,
  heartbeatRequest,
  type JoinAnswer,
  joinGroupRequest,
  leaveGroupRequest,
  syncGroupRequest,
} from './group-requests.ts';
import { decodeAssignment, encodeClaim, PROTOCOL, shareOut } from './group-words.ts';
import { type KafkaConnection, KafkaConnections } from './kafka-connections.ts';
import type { BrokerAddress } from './kafkajs-guards.ts';
import type { KafkaRequest } from './requests.ts';

export type KafkaOwnershipOptions = OwnershipOptions & {
  /** host:port of some brokers; the others are learnt from them. */
  brokers: readonly string[];
  /** The log's topic. It must be there, or run() waits for it. */
  topic: string;
  clientId: string;
  log?: Logger;
  /** Where a broker is really reached, when not at the address it tells. */
  route?: (broker: BrokerAddress) => BrokerAddress;
};

/** Milliseconds for one TCP connection. */
const CONNECT_TIMEOUT_MS = 500;
/** Bounds of the time between two signs of life, which is a tenth of the session: so many may get lost. */
const BEAT_MS = { least: 100, most: 1_000 };
/** Bounds of the time for an answer that the broker gives at once, which is half of the session: then there is time to come back. */
const ANSWER_MS = { least: 500, most: 2_000 };
/** The longest that a rebalance waits for a member that does not join it, as one that is frozen: then it goes on without. */
const MAX_REBALANCE_MS = 3_000;
/** For an answer that waits for other members: for the rebalance, or for the delay that brokers put before a new group (3 s). */
const GROUP_ANSWER_MS = MAX_REBALANCE_MS + 2_000;
/** Milliseconds of nothing but refusals until a group counts as not served, and between two looks at whether one is served again. */
const REFUSALS_MS = 5_000;
const LOOK_BACK_MS = 2_000;
/** Names of a group. The broker keeps groups in some 50 partitions of a topic, by their names: that of one name may be lost, not those of four. */
const GROUP_NAMES = 4;
/** What is answered for a group whose coordinator is not there, has not come up yet, or could not read what it has of the group. */
const NOT_SERVED: ReadonlySet<number> = new Set([
  GROUP_CODES.COORDINATOR_LOAD_IN_PROGRESS,
  GROUP_CODES.COORDINATOR_NOT_AVAILABLE,
  GROUP_CODES.NOT_COORDINATOR,
]);
/** Between two attempts to join when the group changed while the last one was under way. */
const REJOIN_PAUSE_MS = 20;

/**
 * Takes part in the group `roomlog-<role>-<topic>`, or in `…~2` to `…~4` where Kafka does not serve it. run() rejects with
 * LogSettingsError when the broker refuses the session's length.
 */
export function kafkaOwnership(options: KafkaOwnershipOptions): Ownership {
  return new TakingPart(new GroupMembership(options), options, options.log);
}

/** The coordinator is there, or is named, and does not serve the group. */
class NotServedError extends LogUnavailableError {}

class GroupMembership implements Membership {
  readonly #options: KafkaOwnershipOptions;
  /** Which of the group's names we take part under, from 1. */
  #name = 1;
  /** When the refusals under this name began, if the last answer was one. */
  #refusedSince: number | undefined;
  #lookedBackAt = 0;
  /** Given by the broker, and kept over broken connections: with a new one the old would be a member that nobody is. */
  #memberId = '';
  /** What was assigned last and when. It is claimed in joining again, and holds as long as nothing else is assigned. */
  #held: { owned: readonly number[]; generation: number } = { owned: [], generation: 0 };
  /** The sharing we took part in last, if nothing has ended our part in it yet. */
  #joined: { generation: number; asLeaving: boolean } | undefined;

  constructor(options: KafkaOwnershipOptions) {
    this.#options = options;
  }

  get #groupId(): string {
    return groupName(this.#options, this.#name);
  }

  async takePart(part: Part): Promise<void> {
    const connections = this.#connect();
    // A join may wait for other members for seconds; ending its connection is what ends it.
    const close = (): void => connections.close();
    part.signal.addEventListener('abort', close, { once: true });
    try {
      while (!part.signal.aborted) await this.#takePartInOne(connections, part);
    } catch (error) {
      if (part.signal.aborted) return;
      if (error instanceof NotServedError) await this.#bearRefusal();
      else this.#refusedSince = undefined;
      throw error;
    } finally {
      part.signal.removeEventListener('abort', close);
      close();
    }
  }

  /** Until the group goes by another name. */
  async #takePartInOne(connections: KafkaConnections, part: Part): Promise<void> {
    const name = this.#name;
    const coordinator = await this.#findCoordinator(connections, this.#groupId);
    while (this.#name === name && !part.signal.aborted) {
      // After a broken connection we may still be in the group as before: then nobody has to share out anew.
      if (await this.#isStillIn(coordinator, part)) {
        await part.rest(clamp(this.#options.sessionMs / 10, BEAT_MS));
        await this.#lookBack();
      } else {
        await this.#join(coordinator, part);
      }
      this.#refusedSince = undefined;
    }
  }

  /** A group that is refused for long is left for another name. All its members find the same, and meet there. */
  async #bearRefusal(): Promise<void> {
    this.#refusedSince ??= systemTime.now();
    if (systemTime.now() - this.#refusedSince >= REFUSALS_MS) await this.#goToFirstServed(GROUP_NAMES);
  }

  /** Who goes by another name goes back as soon as an earlier one is served, so that nobody stays behind alone. */
  async #lookBack(): Promise<void> {
    if (this.#name === 1 || systemTime.now() - this.#lookedBackAt < LOOK_BACK_MS) return;
    this.#lookedBackAt = systemTime.now();
    await this.#goToFirstServed(this.#name - 1);
  }

  /** Goes by the first of the names 1 … last under which the group is served, if there is one. Never rejects. */
  async #goToFirstServed(last: number): Promise<void> {
    // Asked on connections of their own, and not for long: our part in a group that serves us must not suffer from it.
    const connections = this.#connect();
    try {
      const served = await withDeadline(this.#firstServed(connections, last), this.#options.sessionMs / 4);
      if (served !== undefined) this.#goBy(served);
    } catch {
      // Whatever it was, we are no worse off where we are, and look again later.
    } finally {
      connections.close();
    }
  }

  async #firstServed(connections: KafkaConnections, last: number): Promise<number | undefined> {
    for (let name = 1; name <= last; name += 1) {
      try {
        const groupId = groupName(this.#options, name);
        const coordinator = await this.#findCoordinator(connections, groupId);
        const beat = heartbeatRequest({ groupId, generation: 0, memberId: 'nobody' });
        if ((await ask(coordinator, beat)).errorCode === GROUP_CODES.UNKNOWN_MEMBER_ID) return name;
      } catch (error) {
        if (!(error instanceof NotServedError)) throw error;
      }
    }
    return undefined;
  }

  /** What we have is claimed there as before; generations of two groups are not to be compared. */
  #goBy(name: number): void {
    const from = this.#groupId;
    this.#name = name;
    this.#memberId = '';
    this.#held.generation = 0;
    this.#joined = undefined;
    this.#refusedSince = undefined;
    this.#lookedBackAt = systemTime.now();
    this.#options.log?.warn(
      { from, to: this.#groupId },
      'the group goes by another name, because of what Kafka serves',
    );
  }

  async leave(): Promise<void> {
    if (this.#memberId === '') return;
    const connections = this.#connect();
    try {
      const coordinator = await this.#findCoordinator(connections, this.#groupId);
      await ask(coordinator, leaveGroupRequest({ groupId: this.#groupId, memberId: this.#memberId }));
    } finally {
      connections.close();
    }
  }

  /** Whether the sharing we know of still holds, as far as the coordinator knows; false means that we have to join. */
  async #isStillIn(coordinator: KafkaConnection, part: Part): Promise<boolean> {
    if (this.#joined === undefined || part.signal.aborted) return false;
    const { generation, asLeaving } = this.#joined;
    if (part.isLeaving && !asLeaving) return false;
    const beat = { groupId: this.#groupId, generation, memberId: this.#memberId };
    const { errorCode } = await ask(coordinator, heartbeatRequest(beat));
    return errorCode === 0 || this.#mustJoinAgain('a sign of life', errorCode);
  }

  /** Joins until it has been told an assignment. Every attempt ends with the group; it is not waited for others in a circle. */
  async #join(coordinator: KafkaConnection, part: Part): Promise<void> {
    this.#joined = undefined;
    while (!part.signal.aborted) {
      const asLeaving = part.isLeaving;
      const joined = await this.#joinGroup(coordinator, asLeaving);
      const assignment = joined && (await this.#sync(coordinator, joined));
      if (joined && assignment) {
        const { generation } = joined;
        this.#held = { owned: assignment.mine, generation };
        this.#joined = { generation, asLeaving };
        part.tell(assignment, asLeaving);
        return;
      }
      await part.rest(REJOIN_PAUSE_MS);
    }
  }

  /** False when it has to be tried again at once. */
  async #joinGroup(coordinator: KafkaConnection, isLeaving: boolean): Promise<JoinAnswer | false> {
    const { sessionMs, topic, address } = this.#options;
    const answer = await ask(
      coordinator,
      joinGroupRequest({
        groupId: this.#groupId,
        sessionMs,
        rebalanceTimeoutMs: Math.min(sessionMs, MAX_REBALANCE_MS),
        memberId: this.#memberId,
        ...PROTOCOL,
        metadata: encodeClaim(topic, { address, ...this.#held, isLeaving }),
      }),
      GROUP_ANSWER_MS,
    );
    if (answer.errorCode === 0) {
      this.#memberId = answer.memberId;
      return answer;
    }
    if (answer.errorCode === GROUP_CODES.MEMBER_ID_REQUIRED) {
      this.#memberId = answer.memberId;
      return await this.#joinGroup(coordinator, isLeaving);
    }
    if (answer.errorCode === GROUP_CODES.INVALID_SESSION_TIMEOUT) throw new LogSettingsError(refusedSession(sessionMs));
    return this.#mustJoinAgain('joining', answer.errorCode);
  }

  async #sync(coordinator: KafkaConnection, joined: JoinAnswer): Promise<Assignment | false> {
    const { topic, partitions } = this.#options;
    const { generation, memberId } = joined;
    const assignments = joined.leaderId === memberId ? shareOut({ topic, partitions, generation }, joined.members) : [];
    const { errorCode, assignment } = await ask(
      coordinator,
      syncGroupRequest({ groupId: this.#groupId, generation, memberId, assignments }),
      GROUP_ANSWER_MS,
    );
    if (errorCode !== 0) return this.#mustJoinAgain('asking for the assignment', errorCode);
    try {
      return decodeAssignment(topic, assignment);
    } catch (error) {
      throw new LogUnavailableError('the assignment cannot be read', { cause: error });
    }
  }

  /** Always false, so that it can be returned; throws LogUnavailableError where joining again is no answer to the code. */
  #mustJoinAgain(what: string, errorCode: number): false {
    this.#joined = undefined;
    if (errorCode === GROUP_CODES.UNKNOWN_MEMBER_ID) this.#memberId = '';
    else if (errorCode !== GROUP_CODES.ILLEGAL_GENERATION && errorCode !== GROUP_CODES.REBALANCE_IN_PROGRESS) {
      throw refusal(`Kafka answered ${what} with error ${errorCode}`, errorCode);
    }
    return false;
  }

  #connect(): KafkaConnections {
    const { brokers, topic, clientId, sessionMs, route = (broker) => broker } = this.#options;
    const requestTimeoutMs = clamp(sessionMs / 2, ANSWER_MS);
    return new KafkaConnections({
      brokers,
      topic,
      clientId,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      requestTimeoutMs,
      route,
    });
  }

  async #findCoordinator(connections: KafkaConnections, groupId: string): Promise<KafkaConnection> {
    const nodes = [...(await connections.leaders(Array(this.#options.partitions).keys())).keys()];
    // Any broker knows; one that is dead and still named as a leader must not be asked every time.
    const anyNode = nodes[Math.floor(Math.random() * nodes.length)] ?? -1;
    const found = await ask(await connections.toNode(anyNode), findCoordinatorRequest(groupId));
    if (found.errorCode !== 0) throw refusal(`the group has no coordinator: error ${found.errorCode}`, found.errorCode);
    return await connections.toNode(found.node);
  }
}

/** The other names end in what no topic's name may have. They differ by one digit, which puts them into partitions next to each other. */
function groupName({ role, topic }: KafkaOwnershipOptions, name: number): string {
  return `roomlog-${role}-${topic}${name === 1 ? '' : `~${name}`}`;
}

function refusal(message: string, errorCode: number): LogUnavailableError {
  return NOT_SERVED.has(errorCode) ? new NotServedError(message) : new LogUnavailableError(message);
}

async function ask<Answer>(to: KafkaConnection, request: KafkaRequest<Answer>, timeoutMs?: number): Promise<Answer> {
  try {
    return await to.send(request, timeoutMs);
  } catch (error) {
    throw new LogUnavailableError(`Kafka gave no answer to ${request.apiName}`, { cause: error });
  }
}

function clamp(ms: number, { least, most }: { least: number; most: number }): number {
  return Math.min(Math.max(ms, least), most);
}

function refusedSession(sessionMs: number): string {
  return (
    `Kafka refuses sessions of ${sessionMs} ms: set OWNER_SESSION_MS to at least the broker's group.min.session.timeout.ms ` +
    '(6,000 by default) and at most its group.max.session.timeout.ms, or change these'
  );
}
