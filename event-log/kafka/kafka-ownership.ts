// Who works on which partitions, on Kafka: membership of a consumer group, without consuming. The broker keeps the list of members
// and their sessions; the member that it names leader shares the partitions out, and every member is told all of it
// (docs/decisions/0007-ownership.md). Nothing is fetched and no offset is committed here.
import type { Logger } from '../../platform/logger.ts';
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
/** Between two attempts to join when the group changed while the last one was under way. */
const REJOIN_PAUSE_MS = 20;

/** Takes part in the group `roomlog-<role>-<topic>`. run() rejects with LogSettingsError when the broker refuses the session's length. */
export function kafkaOwnership(options: KafkaOwnershipOptions): Ownership {
  return new TakingPart(new GroupMembership(options), options, options.log);
}

class GroupMembership implements Membership {
  readonly #options: KafkaOwnershipOptions;
  readonly #groupId: string;
  /** Given by the broker, and kept over broken connections: with a new one the old would be a member that nobody is. */
  #memberId = '';
  /** What was assigned last and when. It is claimed in joining again, and holds as long as nothing else is assigned. */
  #held: { owned: readonly number[]; generation: number } = { owned: [], generation: 0 };
  /** The sharing we took part in last, if nothing has ended our part in it yet. */
  #joined: { generation: number; asLeaving: boolean } | undefined;

  constructor(options: KafkaOwnershipOptions) {
    this.#options = options;
    this.#groupId = `roomlog-${options.role}-${options.topic}`;
  }

  async takePart(part: Part): Promise<void> {
    const connections = this.#connect();
    // A join may wait for other members for seconds; ending its connection is what ends it.
    const close = (): void => connections.close();
    part.signal.addEventListener('abort', close, { once: true });
    try {
      const coordinator = await this.#findCoordinator(connections);
      while (!part.signal.aborted) {
        // After a broken connection we may still be in the group as before: then nobody has to share out anew.
        while (await this.#isStillIn(coordinator, part)) await part.rest(clamp(this.#options.sessionMs / 10, BEAT_MS));
        await this.#join(coordinator, part);
      }
    } catch (error) {
      if (!part.signal.aborted) throw error;
    } finally {
      part.signal.removeEventListener('abort', close);
      close();
    }
  }

  async leave(): Promise<void> {
    if (this.#memberId === '') return;
    const connections = this.#connect();
    try {
      const coordinator = await this.#findCoordinator(connections);
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
      throw new LogUnavailableError(`Kafka answered ${what} with error ${errorCode}`);
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

  async #findCoordinator(connections: KafkaConnections): Promise<KafkaConnection> {
    const nodes = [...(await connections.leaders(Array(this.#options.partitions).keys())).keys()];
    // Any broker knows; one that is dead and still named as a leader must not be asked every time.
    const anyNode = nodes[Math.floor(Math.random() * nodes.length)] ?? -1;
    const found = await ask(await connections.toNode(anyNode), findCoordinatorRequest(this.#groupId));
    if (found.errorCode !== 0) throw new LogUnavailableError(`the group has no coordinator: error ${found.errorCode}`);
    return await connections.toNode(found.node);
  }
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
