// How commands travel from another process: many in one request, so that group commit begins at the sender.
import { z } from 'zod';
import type { Accepted, Command } from '../../schemas/commands.ts';
import { REJECTIONS, type Rejection, type RejectionCode } from '../../schemas/rejections.ts';

export const INTERNAL_COMMANDS_PATH = '/internal/v1/commands';
export const INTERNAL_OWNERS_PATH = '/internal/v1/owners';
/** How often a request's commands were passed on already. A process that gets one with MAX_HOPS does not pass it on. */
export const HOPS_HEADER = 'x-roomlog-hops';
export const MAX_HOPS = 2;
/** Which table of owners an answer was given by: another one than the caller has, and the caller asks for it. */
export const OWNERS_VERSION_HEADER = 'x-roomlog-owners';
/** What the service token of these requests is for (platform/service-token.ts). */
export const INTERNAL_COMMANDS_PURPOSE = 'commands';
/** Commands of one request; also bounded by the bytes of a body. */
export const MAX_COMMANDS_PER_REQUEST = 1_000;

const actor = z.strictObject({ userId: z.string().min(1), username: z.string() });
const roomId = z.string().min(1);
const time = z.int().min(0);
const body = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('CreateRoom'),
    roomId,
    spaceId: z.string(),
    name: z.string(),
    description: z.string(),
    isPrivate: z.boolean(),
  }),
  z.strictObject({
    type: z.literal('ChangeRoomDetails'),
    roomId,
    name: z.string().exactOptional(),
    description: z.string().exactOptional(),
  }),
  z.strictObject({ type: z.literal('ArchiveRoom'), roomId }),
  z.strictObject({ type: z.literal('InviteMember'), roomId, userId: z.string().min(1) }),
  z.strictObject({ type: z.literal('JoinRoom'), roomId }),
  z.strictObject({ type: z.literal('LeaveRoom'), roomId }),
  z.strictObject({
    type: z.literal('SendMessage'),
    roomId,
    messageId: z.string().min(1),
    text: z.string(),
    replyTo: z.string().nullable(),
    originalTime: z.int().nullable(),
  }),
]);
const command = z.strictObject({
  body,
  actor,
  onBehalfOf: actor.nullable(),
  isOperator: z.boolean(),
  commandId: z.string().min(1),
  correlationId: z.string(),
  now: time,
});

export const CommandsRequest: z.ZodType<{ commands: Command[] }> = z.strictObject({
  commands: z.array(command).min(1).max(MAX_COMMANDS_PER_REQUEST),
});

const codes = Object.keys(REJECTIONS) as RejectionCode[];
const accepted: z.ZodType<Accepted> = z.strictObject({
  roomId,
  id: z.string(),
  version: z.int(),
  position: z.string(),
  occurredAt: time,
  changed: z.boolean(),
});
const rejection: z.ZodType<Rejection> = z.strictObject({
  rejected: z.enum(codes),
  detail: z.string().exactOptional(),
  retryAfterMs: z.number().exactOptional(),
});

/** One answer per command, in their order. */
export const CommandsAnswer: z.ZodType<{ answers: (Accepted | Rejection)[] }> = z.strictObject({
  answers: z.array(z.union([accepted, rejection])),
});

/** By partition, the address of its owner; '' where nobody has it. Equal tables have equal versions, whoever tells them. */
export type Owners = { version: string; owners: readonly string[] };

export const OwnersAnswer: z.ZodType<Owners> = z.strictObject({ version: z.string(), owners: z.array(z.string()) });
