// Every statement of ownership, one function each. The tables are found by the search_path that connections.ts sets.
import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { toLogFailure } from './log-failures.ts';

export type Lease = { role: string; memberId: string; address: string; isLeaving: boolean; sessionMs: number };

/** The members whose leases run, and what is assigned: one moment of both. Null: nobody has that partition. */
export type Group = {
  generation: number;
  owners: (string | null)[];
  addresses: (string | null)[];
  members: { id: string; address: string; isLeaving: boolean }[];
};

const DDL = readFileSync(new URL('./ownership-schema.sql', import.meta.url), 'utf8');

/** Creates what is missing. */
export async function prepareOwnership(client: pg.Client, schema: string, role: string): Promise<void> {
  try {
    // A process that freezes in here must not hold up the start of the others for long.
    await client.query('begin; set local idle_in_transaction_session_timeout = 2000');
    // Two processes that start at the same time: "if not exists" alone lets both try, and one of them fail.
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`roomlog event log ${schema}`]);
    await client.query(`create schema if not exists "${schema}"`);
    await client.query(DDL);
    await client.query('insert into owner_assignments (role) values ($1) on conflict do nothing', [role]);
    await client.query('commit');
  } catch (error) {
    throw toLogFailure(error);
  }
}

/**
 * A sign of life. One that the others had given up is taken in again by the same statement. Answers with what tells whether anything
 * has changed: the generation, and who else is there. It need not be on disk when it is answered: what a crash of the server
 * loses of it makes the lease run out a moment early, and it would be a write to the disk for every beat of every process.
 */
const RENEW = `
with renewed as (
  insert into owner_leases (role, member_id, address, is_leaving, expires_at)
  values ($1, $2, $3, $4, clock_timestamp() + $5::integer * interval '1 ms')
  on conflict (role, member_id) do update set is_leaving = excluded.is_leaving, expires_at = excluded.expires_at
)
select generation,
       (select string_agg(member_id || case when is_leaving then ' leaves' else '' end, ',' order by member_id)
          from owner_leases
         where role = $1 and member_id <> $2 and expires_at > clock_timestamp()) as others,
       set_config('synchronous_commit', 'off', true)
  from owner_assignments
 where role = $1`;

export async function renewLease(
  client: pg.Client,
  { role, memberId, address, isLeaving, sessionMs }: Lease,
): Promise<{ generation: number; others: string }> {
  const [row] = await ask<{ generation: number; others: string | null }>(client, 'ownership_renew', RENEW, [
    role,
    memberId,
    address,
    isLeaving,
    Math.ceil(sessionMs),
  ]);
  if (row === undefined) throw new Error(`there is no row of the role ${role} any more`);
  return { generation: row.generation, others: row.others ?? '' };
}

const SELECT_GROUP = `
select generation, owners, addresses,
       (select coalesce(json_agg(json_build_object('id', member_id, 'address', address, 'isLeaving', is_leaving)), '[]')
          from owner_leases
         where owner_leases.role = owner_assignments.role and expires_at > clock_timestamp()) as members
  from owner_assignments
 where role = $1`;

export async function selectGroup(client: pg.Client, role: string): Promise<Group> {
  const [row] = await ask<Group>(client, 'ownership_group', SELECT_GROUP, [role]);
  if (row === undefined) throw new Error(`there is no row of the role ${role} any more`);
  return row;
}

/** Assigns, if nobody has since `generation`, tells the others, and forgets leases that have run out. False: somebody has. */
const ASSIGN = `
with assigned as (
  update owner_assignments
     set generation = generation + 1, owners = $3, addresses = $4
   where role = $1 and generation = $2
  returning generation
), forgotten as (
  delete from owner_leases
   where role = $1 and expires_at <= clock_timestamp() and exists (select from assigned)
)
select generation, pg_notify($5, $1) from assigned`;

export async function assign(
  client: pg.Client,
  role: string,
  { generation, owners, addresses }: Pick<Group, 'generation' | 'owners' | 'addresses'>,
  channel: string,
): Promise<boolean> {
  const rows = await ask(client, 'ownership_assign', ASSIGN, [role, generation, owners, addresses, channel]);
  return rows.length > 0;
}

export async function deleteLease(client: pg.Client, role: string, memberId: string): Promise<void> {
  const statement = 'delete from owner_leases where role = $1 and member_id = $2';
  await ask(client, 'ownership_leave', statement, [role, memberId]);
}

async function ask<Row extends pg.QueryResultRow>(
  client: pg.Client,
  name: string,
  text: string,
  values: unknown[],
): Promise<Row[]> {
  try {
    return (await client.query<Row>({ name, text, values })).rows;
  } catch (error) {
    throw toLogFailure(error);
  }
}
