-- Who works on which partitions. Run with search_path set to the log's own schema, in one transaction.

-- One row for each process that takes part. Times are the server's, so that no two clocks are ever compared. Every sign of life is an
-- update of one row that no index covers; room in the page keeps it there (heap-only tuples).
create table if not exists owner_leases (
  role        text not null,
  member_id   text not null,
  address     text not null,
  is_leaving  boolean not null,
  expires_at  timestamptz not null,
  primary key (role, member_id)
) with (fillfactor = 20, autovacuum_vacuum_threshold = 1000);

-- All that is assigned in a role is one row: it changes as a whole, from its expected generation, or not at all. So nobody has to
-- hold a lock while the shares are computed, and a process that is frozen in the middle of it holds up nobody.
create table if not exists owner_assignments (
  role        text primary key,
  generation  integer not null default 0,
  -- By partition, beginning with 0: which member has it and where that is reached. Null: nobody.
  owners      text[] not null default '{}',
  addresses   text[] not null default '{}'
);
