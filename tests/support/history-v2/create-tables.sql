-- A second version of the history, for tests alone: that of projections/history/create-tables.sql with one column more.

create table if not exists rooms (
  room_id        text primary key,
  partition      integer not null,
  version        bigint not null,
  space_id       text not null,
  name           text not null,
  description    text not null,
  is_private     boolean not null,
  owner_id       text not null,
  member_count   integer not null,
  archived       boolean not null,
  messages       integer not null default 0,
  created_at_ms  bigint not null
) with (fillfactor = 70);

create index if not exists rooms_of_space on rooms (space_id, created_at_ms, room_id);

create table if not exists memberships (
  room_id       text not null,
  user_id       text not null,
  username      text not null,
  joined_at_ms  bigint not null,
  primary key (room_id, user_id)
);

create table if not exists invitations (
  room_id        text not null,
  user_id        text not null,
  invited_by     text not null,
  invited_at_ms  bigint not null,
  primary key (room_id, user_id)
);

create table if not exists messages (
  room_id           text not null,
  version           bigint not null,
  message_id        text not null,
  text              text not null,
  user_id           text not null,
  username          text not null,
  operator_id       text,
  operator_name     text,
  reply_to          text,
  original_time_ms  bigint,
  occurred_at_ms    bigint not null,
  command_id        text not null,
  primary key (room_id, version)
);

create table if not exists room_events (
  room_id  text not null,
  version  bigint not null,
  event    jsonb not null,
  primary key (room_id, version)
);
