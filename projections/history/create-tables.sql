-- The tables of the history projection. Run with search_path set to the projection's own schema, in one transaction. A change of
-- shape is a new version of the projection in a schema of its own, so nothing here is ever altered.
-- Times are milliseconds since 1970 UTC, exactly as the events have them.

create table if not exists rooms (
  room_id        text primary key,
  -- Where the room's stream lies in the log: which checkpoint says how far this row is.
  partition      integer not null,
  -- Number of the room's last event in here. Events up to it are skipped when they come again; the next one must be version + 1.
  version        bigint not null,
  space_id       text not null,
  name           text not null,
  description    text not null,
  is_private     boolean not null,
  owner_id       text not null,
  member_count   integer not null,
  archived       boolean not null,
  created_at_ms  bigint not null
  -- Every batch updates the version: room on the page keeps these updates in place (heap-only tuples), off the indexes.
) with (fillfactor = 70);

-- Serves the room list: the rooms of a space in the order in which they were made, from a cursor on.
create index if not exists rooms_of_space on rooms (space_id, created_at_ms, room_id);

-- The members of now: who leaves has no row. The primary key serves both "is this user a member" and pages of a room's members.
create table if not exists memberships (
  room_id       text not null,
  user_id       text not null,
  username      text not null,
  joined_at_ms  bigint not null,
  primary key (room_id, user_id)
);

-- Invitations that were not used yet.
create table if not exists invitations (
  room_id        text not null,
  user_id        text not null,
  invited_by     text not null,
  invited_at_ms  bigint not null,
  primary key (room_id, user_id)
);

-- One index only: the primary key, which serves pages by version in both directions and "everything after a version". None on
-- message_id: nothing asks by it, its values come in random order, and it would slow every insert by a quarter. It could not be
-- unique either: a command repeated after its answer is forgotten makes the same id again, and history keeps what happened.
create table if not exists messages (
  room_id           text not null,
  version           bigint not null,
  message_id        text not null,
  text              text not null,
  -- Whom the message counts for; the operator is who sent it for them, else null.
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

-- Every event that is not a message, whole: with the messages it gives all that somebody missed, by version.
create table if not exists room_events (
  room_id  text not null,
  version  bigint not null,
  event    jsonb not null,
  primary key (room_id, version)
);
