// Made by `npm run generate` from schemas/events/*.avsc. Do not edit.

/** A user as the token named them at the time of the event. */
export type Actor = {
  /** Stable id of the user (the token's sub). Opaque: any well-formed text. */
  userId: string;
  /** The shown name at that time. Never an identity. */
  username: string;
};

/** What every event says about itself. */
export type EventMetadata = {
  /** UUIDv7 of this event. */
  eventId: string;
  /** Stream id, which is also the log key: room-<roomId>. */
  stream: string;
  /** Dense number of this event in its stream: 1, 2, 3 and so on. The client's cursor. */
  version: number;
  /** Who made the call: the bearer of the token. */
  actor: Actor;
  /** The user an operator acted for, or null when the actor acted for themselves. */
  onBehalfOf: null | Actor;
  /** When the command was accepted, in milliseconds since 1970 UTC, by the clock of the node that accepted it. */
  occurredAt: number;
  /** Id of the command that led to this event. Repeating it returns the first answer. */
  commandId: string;
  /** Id of the request that caused the command, for following it through the logs of all roles. */
  correlationId: string;
};

/** A member asked somebody in; in a private room only invited users may join. */
export type MemberInvited = {
  type: 'MemberInvited';
  /** What every event says about itself. */
  metadata: EventMetadata;
  /** Id of the room this happened in. */
  roomId: string;
  /** Id of the invited user. */
  userId: string;
};

/** A user became a member of the room. */
export type MemberJoined = {
  type: 'MemberJoined';
  /** What every event says about itself. */
  metadata: EventMetadata;
  /** Id of the room this happened in. */
  roomId: string;
  /** Id of the new member. */
  userId: string;
  /** Shown name of the new member at that time. */
  username: string;
  /** Id of the user whose invitation was used up by joining; null where there was none. Since the second version of this schema. */
  invitedBy: null | string;
};

/** A member left the room of their own will. */
export type MemberLeft = {
  type: 'MemberLeft';
  /** What every event says about itself. */
  metadata: EventMetadata;
  /** Id of the room this happened in. */
  roomId: string;
  /** Id of the user who left. */
  userId: string;
  /** Shown name of the user who left at that time. */
  username: string;
};

/** A member said something in the room. */
export type MessageSent = {
  type: 'MessageSent';
  /** What every event says about itself. */
  metadata: EventMetadata;
  /** Id of the room this happened in. */
  roomId: string;
  /** UUIDv7 of the message. */
  messageId: string;
  /** The text exactly as sent: plain text, never markup to be trusted. */
  text: string;
  /** Id of the message of the same room that this one answers, or null. */
  replyTo: null | string;
  /** When an imported message was first said elsewhere, in milliseconds since 1970 UTC; null for messages born here. */
  originalTime: null | number;
};

/** The room was closed for good: nothing more can happen in it, its history stays readable. */
export type RoomArchived = {
  type: 'RoomArchived';
  /** What every event says about itself. */
  metadata: EventMetadata;
  /** Id of the room this happened in. */
  roomId: string;
};

/** A room came into being; its creator is its owner and first member. */
export type RoomCreated = {
  type: 'RoomCreated';
  /** What every event says about itself. */
  metadata: EventMetadata;
  /** Id of the room this happened in. */
  roomId: string;
  /** Id of the space of the metaverse that the room belongs to (roomid in the public API). */
  spaceId: string;
  /** Shown name of the room. */
  name: string;
  /** Longer description; empty when none was given. */
  description: string;
  /** Whether joining needs an invitation and only members see the room. */
  isPrivate: boolean;
};

/** What a room is called and said to be. */
export type RoomDetails = {
  /** Shown name of the room. */
  name: string;
  /** Description of the room. */
  description: string;
};

/** The owner gave the room another name or description. */
export type RoomDetailsEdited = {
  type: 'RoomDetailsEdited';
  /** What every event says about itself. */
  metadata: EventMetadata;
  /** Id of the room this happened in. */
  roomId: string;
  /** The details until then; null where it was written as RoomDetailsChanged, which did not say. */
  before: null | RoomDetails;
  /** The details from now on. */
  after: RoomDetails;
};

export type ChatEvent = MemberInvited | MemberJoined | MemberLeft | MessageSent | RoomArchived | RoomCreated | RoomDetailsEdited;

export const EVENT_TYPES = ['MemberInvited', 'MemberJoined', 'MemberLeft', 'MessageSent', 'RoomArchived', 'RoomCreated', 'RoomDetailsEdited'] as const;

export type EventType = (typeof EVENT_TYPES)[number];

/** By record: what a field has in events that were stored before it came. */
export const FIELD_DEFAULTS: Record<string, object> = {"EventMetadata":{"onBehalfOf":null},"MemberJoined":{"invitedBy":null},"MessageSent":{"replyTo":null,"originalTime":null},"RoomCreated":{"description":"","isPrivate":false},"RoomDetails":{"description":""},"RoomDetailsEdited":{"before":null}};

