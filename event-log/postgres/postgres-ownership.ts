// Who works on which partitions, on PostgreSQL: leases in a table. There is no leader: whoever sees that what is assigned is not what
// it should be (somebody came, wants to go, or has given no sign of life) assigns it anew, and of two that do so at once the
// generation lets one through (docs/decisions/0007-ownership.md).
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { withDeadline } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/logger.ts';
import type { Assignment, Ownership, OwnershipOptions } from '../ownership/ownership.ts';
import { addressesOf, sharePartitions } from '../ownership/share-partitions.ts';
import { type Membership, type Part, TakingPart } from '../ownership/taking-part.ts';
import { type ConnectionOptions, endClient, openClient } from './connections.ts';
import { toLogFailure } from './log-failures.ts';
import { assign, deleteLease, type Group, prepareOwnership, renewLease, selectGroup } from './ownership-statements.ts';

export type PostgresOwnershipOptions = OwnershipOptions & {
  databaseUrl: string;
  logger: Logger;
  /** The log's own schema. */
  schema?: string;
};

/** Bounds of the time between two signs of life, which is a tenth of the session: so many may get lost. */
const BEAT_MS = { least: 200, most: 1_000 };
/** Bounds of the time for an answer or a connection, which is half of the session: then there is time to come back. */
const ANSWER_MS = { least: 500, most: 2_000 };
/** Milliseconds for ending a connection in good order; after that it is left to end by itself. */
const END_TIMEOUT_MS = 500;
/** How often assigning is tried in one beat while others come first; then it waits for the next. */
const MAX_ATTEMPTS = 10;

/** Takes part in the role, on the schema of the log. */
export function postgresOwnership(options: PostgresOwnershipOptions): Ownership {
  const { logger, schema = 'roomlog_log' } = options;
  assert.match(schema, /^[a-z_][a-z0-9_]{0,49}$/, 'the schema must be a plain PostgreSQL name');
  return new TakingPart(new LeaseMembership({ ...options, schema }), options, logger);
}

class LeaseMembership implements Membership {
  readonly #options: PostgresOwnershipOptions & { schema: string };
  readonly #memberId: string = randomUUID();
  readonly #channel: string;
  #isPrepared = false;

  constructor(options: PostgresOwnershipOptions & { schema: string }) {
    this.#options = options;
    this.#channel = `${options.schema}_owners`;
  }

  async takePart(part: Part): Promise<void> {
    const client = await this.#open();
    try {
      client.on('end', () => part.wake());
      client.on('notification', ({ payload }) => {
        if (payload === this.#options.role) part.wake();
      });
      await listen(client, this.#channel);
      let seen = '';
      while (!part.signal.aborted) {
        seen = await this.#beat(client, part, seen);
        await part.rest(Math.min(Math.max(this.#options.sessionMs / 10, BEAT_MS.least), BEAT_MS.most));
      }
    } finally {
      await end(client);
    }
  }

  async leave(): Promise<void> {
    // One that never came as far as its tables has no lease in them.
    if (!this.#isPrepared) return;
    const client = await this.#open();
    try {
      await deleteLease(client, this.#options.role, this.#memberId);
      await this.#settle(client);
    } finally {
      await end(client);
    }
  }

  /** A sign of life, and what follows from it where anything has changed. Returns what was seen, '' where it is not settled. */
  async #beat(client: pg.Client, part: Part, seenBefore: string): Promise<string> {
    const { role, address, sessionMs } = this.#options;
    const isLeaving = part.isLeaving;
    const lease = { role, memberId: this.#memberId, address, isLeaving, sessionMs };
    const { generation, others } = await renewLease(client, lease);
    const seen = `${generation} ${isLeaving} ${others}`;
    if (seen === seenBefore) return seen;
    const group = await this.#settle(client);
    if (group === undefined) return '';
    part.tell(this.#toAssignment(group), isLeaving);
    return `${group.generation} ${isLeaving} ${others}`;
  }

  /** Brings what is assigned to what it should be. Undefined where others came first again and again. */
  async #settle(client: pg.Client): Promise<Group | undefined> {
    const { role, partitions } = this.#options;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const group = await selectGroup(client, role);
      const wanted = assignedAnew(group, partitions);
      if (isSame(wanted.owners, group.owners)) return group;
      if (await assign(client, role, wanted, this.#channel)) return { ...wanted, generation: group.generation + 1 };
    }
    return undefined;
  }

  #toAssignment({ owners, addresses }: Group): Assignment {
    const mine = owners.flatMap((owner, partition) => (owner === this.#memberId ? [partition] : []));
    const entries = addresses.flatMap((address, partition): [number, string][] =>
      address === null ? [] : [[partition, address]],
    );
    return { mine, addressByPartition: new Map(entries) };
  }

  async #open(): Promise<pg.Client> {
    const { databaseUrl, schema, sessionMs, role } = this.#options;
    const answerTimeoutMs = Math.min(Math.max(sessionMs / 2, ANSWER_MS.least), ANSWER_MS.most);
    const connection: ConnectionOptions = { databaseUrl, schema, connectTimeoutMs: answerTimeoutMs, answerTimeoutMs };
    const client = await openClient(connection);
    try {
      if (!this.#isPrepared) await prepareOwnership(client, schema, role);
      this.#isPrepared = true;
      return client;
    } catch (error) {
      await end(client);
      throw error;
    }
  }
}

/** What should be assigned, going by who is there and who has what. */
function assignedAnew(group: Group, partitions: number): Group {
  const members = group.members.map((member) => ({
    ...member,
    owned: group.owners.flatMap((owner, partition) => (owner === member.id ? [partition] : [])),
    // There is one table, in which no partition has two owners: no claim has to be weighed against another.
    generation: 0,
  }));
  const shares = sharePartitions(partitions, members);
  const addressByPartition = addressesOf(shares, members);
  const owners = Array<string | null>(partitions).fill(null);
  for (const [id, mine] of shares) for (const partition of mine) owners[partition] = id;
  return { ...group, owners, addresses: owners.map((_, partition) => addressByPartition.get(partition) ?? null) };
}

function isSame(left: readonly (string | null)[], right: readonly (string | null)[]): boolean {
  return left.length === right.length && left.every((owner, partition) => owner === right[partition]);
}

async function listen(client: pg.Client, channel: string): Promise<void> {
  try {
    await client.query(`listen "${channel}"`);
  } catch (error) {
    throw toLogFailure(error);
  }
}

/** A server that does not answer must not hold up the next connection. */
async function end(client: pg.Client): Promise<void> {
  await withDeadline(endClient(client), END_TIMEOUT_MS).catch(() => undefined);
}
