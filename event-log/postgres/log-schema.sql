-- The event log on PostgreSQL. Run with search_path set to the log's own schema, in one transaction.

-- The head of each partition. An append moves it by `update … where next_offset = <expected>`, so the row's lock lets one append
-- of a partition through at a time and its condition decides which one. A page of a few rows with room for many versions of
-- them keeps these updates in place (heap-only tuples), with no index to maintain.
create table if not exists partitions (
  partition    integer primary key check (partition >= 0),
  next_offset  bigint not null default 0 check (next_offset >= 0),
  -- When the newest record was appended. It never goes back, so times rise with offsets also when the server's clock is set.
  appended_at  timestamptz(3) not null default '-infinity'
) with (fillfactor = 20, autovacuum_vacuum_threshold = 1000);

-- Offsets are dense in a partition: a gap means that somebody deleted records, and readers refuse to go on over it.
create table if not exists records (
  partition    integer not null,
  "offset"     bigint not null,
  key          text not null,
  -- Null marks a barrier, which readers pass over.
  value        bytea,
  -- Milliseconds are what the port speaks; finer digits would make a time found in a record miss that record.
  appended_at  timestamptz(3) not null,
  primary key (partition, "offset")
);
