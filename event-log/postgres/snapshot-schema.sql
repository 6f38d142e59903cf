-- Where snapshots are kept (event-log/snapshot-store.ts). Run with search_path set to the log's own schema, in one transaction.
create table if not exists snapshots (
  partition  integer not null,
  -- Compared byte by byte, because only equality and any fixed order are asked for.
  key        text collate "C" not null,
  value      bytea not null,
  primary key (partition, key)
);

-- Values are read whole and written often; compressing them would cost more than their bytes.
alter table snapshots alter column value set storage external;
