create table history_v1.invitations (
  room_id text not null,
  user_id text not null,
  invited_by text not null,
  invited_at_ms bigint not null,
  PRIMARY KEY (room_id, user_id)
);

create table history_v1.memberships (
  room_id text not null,
  user_id text not null,
  username text not null,
  joined_at_ms bigint not null,
  PRIMARY KEY (room_id, user_id)
);

create table history_v1.messages (
  room_id text not null,
  version bigint not null,
  message_id text not null,
  text text not null,
  user_id text not null,
  username text not null,
  operator_id text,
  operator_name text,
  reply_to text,
  original_time_ms bigint,
  occurred_at_ms bigint not null,
  command_id text not null,
  PRIMARY KEY (room_id, version)
);

create table history_v1.room_events (
  room_id text not null,
  version bigint not null,
  event jsonb not null,
  PRIMARY KEY (room_id, version)
);

create table history_v1.rooms (
  room_id text not null,
  partition integer not null,
  version bigint not null,
  space_id text not null,
  name text not null,
  description text not null,
  is_private boolean not null,
  owner_id text not null,
  member_count integer not null,
  archived boolean not null,
  created_at_ms bigint not null,
  PRIMARY KEY (room_id)
) with (fillfactor=70);
CREATE INDEX rooms_of_space ON history_v1.rooms USING btree (space_id, created_at_ms, room_id);

create table roomlog.discarded_records (
  projection text not null,
  version integer not null,
  partition integer not null,
  offset bigint not null,
  stream text not null,
  reason text not null,
  value bytea not null,
  discarded_by text not null,
  discarded_at_ms bigint not null,
  PRIMARY KEY (projection, version, partition, "offset")
);

create table roomlog.parked_records (
  projection text not null,
  version integer not null,
  stream text not null,
  partition integer not null,
  offset bigint not null,
  appended_at_ms bigint not null,
  value bytea not null,
  PRIMARY KEY (projection, version, stream, partition, "offset")
);

create table roomlog.parked_streams (
  projection text not null,
  version integer not null,
  stream text not null,
  partition integer not null,
  first_offset bigint not null,
  reason text not null,
  parked_at_ms bigint not null,
  PRIMARY KEY (projection, version, stream)
);

create table roomlog.projection_builds (
  projection text not null,
  build integer not null,
  version integer not null,
  purpose text not null,
  state text not null,
  created_at_ms bigint not null,
  state_at_ms bigint not null,
  wanted text not null,
  options jsonb not null,
  worker jsonb,
  progress jsonb,
  PRIMARY KEY (projection, build)
);

create table roomlog.projection_checkpoints (
  projection text not null,
  version integer not null,
  partition integer not null,
  next_offset bigint not null,
  PRIMARY KEY (projection, version, partition)
) with (fillfactor=50);

create table roomlog.projection_live (
  projection text not null,
  version integer not null,
  since_ms bigint not null,
  automatic_above integer not null,
  PRIMARY KEY (projection)
);
