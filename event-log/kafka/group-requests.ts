// The five requests of membership in a consumer group (the classic protocol: FindCoordinator v2, JoinGroup v4, SyncGroup v2, Heartbeat
// v2, LeaveGroup v2), spoken by all brokers from 2.3 to 4.x. Error codes are values here, because most of them are no failures but
// tell what to do next. kafkajs has these requests too; its Broker#joinGroup asks twice inside and loses the member id that the
// first answer gave when the second one gets lost: a member that nobody is, which the group waits for until its session has run out.
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import type { KafkaRequest } from './requests.ts';

/** Every broker must speak these versions; checked at the first connection. */
export const GROUP_VERSIONS = [
  { apiName: 'FindCoordinator', apiKey: 10, apiVersion: 2 },
  { apiName: 'JoinGroup', apiKey: 11, apiVersion: 4 },
  { apiName: 'SyncGroup', apiKey: 14, apiVersion: 2 },
  { apiName: 'Heartbeat', apiKey: 12, apiVersion: 2 },
  { apiName: 'LeaveGroup', apiKey: 13, apiVersion: 2 },
] as const;

export const GROUP_CODES = {
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  ILLEGAL_GENERATION: 22,
  UNKNOWN_MEMBER_ID: 25,
  INVALID_SESSION_TIMEOUT: 26,
  REBALANCE_IN_PROGRESS: 27,
  MEMBER_ID_REQUIRED: 79,
} as const;

export type JoinedMember = { memberId: string; metadata: Buffer };

export type JoinAnswer = {
  errorCode: number;
  generation: number;
  leaderId: string;
  memberId: string;
  /** Given to the leader only. */
  members: JoinedMember[];
};

const OF_A_GROUP = 0;
/** What is on top of the texts and bytes of a request, amply. */
const FIXED_BYTES = 64;

/** Which broker looks after the group. */
export function findCoordinatorRequest(groupId: string): KafkaRequest<{ errorCode: number; node: number }> {
  return {
    ...GROUP_VERSIONS[0],
    encode: () => {
      const writer = new ByteWriter(FIXED_BYTES + Buffer.byteLength(groupId));
      writer.string(groupId);
      writer.int8(OF_A_GROUP);
      return writer.written;
    },
    decode: (payload) => {
      const reader = new ByteReader(payload);
      const throttleMs = reader.int32();
      const errorCode = reader.int16();
      reader.string(); // the error in words
      return { throttleMs, answer: { errorCode, node: reader.int32() } };
    },
  };
}

/** Answered when all members have joined anew, or those that have not are given up: after `rebalanceTimeoutMs` at the latest. */
export function joinGroupRequest(join: {
  groupId: string;
  sessionMs: number;
  rebalanceTimeoutMs: number;
  /** '' for one that has not been given an id yet. */
  memberId: string;
  protocolType: string;
  protocolName: string;
  metadata: Buffer;
}): KafkaRequest<JoinAnswer> {
  const texts = [join.groupId, join.memberId, join.protocolType, join.protocolName];
  return {
    ...GROUP_VERSIONS[1],
    encode: () => {
      const writer = new ByteWriter(FIXED_BYTES + Buffer.byteLength(texts.join('')) + join.metadata.length);
      writer.string(join.groupId);
      writer.int32(join.sessionMs);
      writer.int32(join.rebalanceTimeoutMs);
      writer.string(join.memberId);
      writer.string(join.protocolType);
      writer.int32(1);
      writer.string(join.protocolName);
      writer.int32(join.metadata.length);
      writer.raw(join.metadata);
      return writer.written;
    },
    decode: (payload) => {
      const reader = new ByteReader(payload);
      const throttleMs = reader.int32();
      const errorCode = reader.int16();
      const generation = reader.int32();
      reader.string(); // the protocol chosen: there is only one
      const leaderId = reader.string() ?? '';
      const memberId = reader.string() ?? '';
      const members = Array.from({ length: Math.max(reader.int32(), 0) }, () => ({
        memberId: reader.string() ?? '',
        metadata: reader.byteArray(),
      }));
      return { throttleMs, answer: { errorCode, generation, leaderId, memberId, members } };
    },
  };
}

/** Answered when the leader has told the assignments. Only the leader gives any. */
export function syncGroupRequest(sync: {
  groupId: string;
  generation: number;
  memberId: string;
  assignments: readonly { memberId: string; assignment: Buffer }[];
}): KafkaRequest<{ errorCode: number; assignment: Buffer }> {
  const { groupId, generation, memberId, assignments } = sync;
  return {
    ...GROUP_VERSIONS[2],
    encode: () => {
      const bytes = assignments.map(({ memberId: id, assignment }) => 8 + Buffer.byteLength(id) + assignment.length);
      const texts = Buffer.byteLength(groupId + memberId);
      const writer = new ByteWriter(bytes.reduce((sum, more) => sum + more, FIXED_BYTES + texts));
      writer.string(groupId);
      writer.int32(generation);
      writer.string(memberId);
      writer.int32(assignments.length);
      for (const one of assignments) {
        writer.string(one.memberId);
        writer.int32(one.assignment.length);
        writer.raw(one.assignment);
      }
      return writer.written;
    },
    decode: (payload) => {
      const reader = new ByteReader(payload);
      const throttleMs = reader.int32();
      return { throttleMs, answer: { errorCode: reader.int16(), assignment: reader.byteArray() } };
    },
  };
}

/** A sign of life; its error code tells whether the group is being shared out anew. */
export function heartbeatRequest(beat: {
  groupId: string;
  generation: number;
  memberId: string;
}): KafkaRequest<{ errorCode: number }> {
  return {
    ...GROUP_VERSIONS[3],
    encode: () => {
      const writer = new ByteWriter(FIXED_BYTES + Buffer.byteLength(beat.groupId + beat.memberId));
      writer.string(beat.groupId);
      writer.int32(beat.generation);
      writer.string(beat.memberId);
      return writer.written;
    },
    decode: decodeCode,
  };
}

/** The member goes, and the group is shared out anew at once. */
export function leaveGroupRequest(leave: { groupId: string; memberId: string }): KafkaRequest<{ errorCode: number }> {
  return {
    ...GROUP_VERSIONS[4],
    encode: () => {
      const writer = new ByteWriter(FIXED_BYTES + Buffer.byteLength(leave.groupId + leave.memberId));
      writer.string(leave.groupId);
      writer.string(leave.memberId);
      return writer.written;
    },
    decode: decodeCode,
  };
}

function decodeCode(payload: Buffer): { throttleMs: number; answer: { errorCode: number } } {
  const reader = new ByteReader(payload);
  const throttleMs = reader.int32();
  return { throttleMs, answer: { errorCode: reader.int16() } };
}
