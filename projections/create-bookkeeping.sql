-- What every projection in PostgreSQL keeps beside its rows. Run with search_path set to the bookkeeping schema, in one
-- transaction.

-- The next offset that the projection has not seen. It moves in the transaction that writes the rows, and only from where the
-- writer left it.
create table if not exists projection_checkpoints (
  projection   text not null,
  version      integer not null,
  partition    integer not null,
  next_offset  bigint not null,
  primary key (projection, version, partition)
) with (fillfactor = 50);

-- Streams with a record that cannot be projected. Other streams go on without them.
create table if not exists parked_streams (
  projection    text not null,
  version       integer not null,
  stream        text not null,
  partition     integer not null,
  first_offset  bigint not null,
  reason        text not null,
  parked_at_ms  bigint not null,
  primary key (projection, version, stream)
);

-- That record and every later one of its stream, in order and as they lie in the log, to be projected once the cause is gone.
create table if not exists parked_records (
  projection      text not null,
  version         integer not null,
  stream          text not null,
  partition       integer not null,
  "offset"        bigint not null,
  appended_at_ms  bigint not null,
  value           bytea not null,
  primary key (projection, version, stream, partition, "offset")
);

-- Records that somebody has taken out of a projection by hand, for ever: every fold of the log passes over them, so that tables
-- that are built anew mean the same. Kept for the projection as such, whichever set of tables it is folded into.
create table if not exists discarded_records (
  projection       text not null,
  version          integer not null,
  partition        integer not null,
  "offset"         bigint not null,
  stream           text not null,
  reason           text not null,
  value            bytea not null,
  discarded_by     text not null,
  discarded_at_ms  bigint not null,
  primary key (projection, version, partition, "offset")
);

-- Sets of tables of one projection: the live one, those that are being made beside it, and the one that was live before.
-- docs/decisions/0011-rebuilding.md says what may become of them.
create table if not exists projection_builds (
  projection    text not null,
  build         integer not null,
  version       integer not null,
  -- What it was made for: live, rebuild, verify, repair, diff.
  purpose       text not null,
  -- live, previous, copying, indexing, catching-up, verifying, ready, refused; scratch for those that never go live.
  state         text not null,
  created_at_ms bigint not null,
  state_at_ms   bigint not null,
  -- What somebody asks of the job that makes it: run, pause, cancel. The job looks about once a second.
  wanted        text not null default 'run',
  -- How the job was started, so that one that was killed goes on in the same way.
  options       jsonb not null default '{}',
  -- Which process makes it and how far that is; for people.
  worker        jsonb,
  progress      jsonb,
  primary key (projection, build)
);

-- Which version of a projection readers read, of those that they know. It moves in a transaction that holds the checkpoints of both
-- versions, and only to one that has got as far.
create table if not exists projection_live (
  projection       text primary key,
  version          integer not null,
  since_ms         bigint not null,
  -- Only versions above this one take over by themselves: who moves the pointer by hand does not want it moved back.
  automatic_above  integer not null default 0
);
