// Every limit that a user of the product can meet, with its unit, and what happens at it. Operators change the few that are
// settings in <role>/config.ts; the rest are part of the contract.
export const LIMITS = {
  /** Code points of a message's text; one more is refused with message_too_long. */
  messageCodePoints: 2_000,
  /** Code points of a room's name; refused with invalid_request. */
  roomNameCodePoints: 100,
  /** Code points of a room's description; refused with invalid_request. */
  roomDescriptionCodePoints: 1_000,
  /** Code points of a user id, user name, room id, space id or command id; refused with invalid_request (in a token: token_invalid). */
  idCodePoints: 200,
  /** Members of one room; a further join is refused with room_full. */
  roomMembers: 100_000,
  /** Bytes of an HTTP request body; more is refused with body_too_large. */
  httpBodyBytes: 64 * 1024,
  /** Bytes of a WebSocket frame from a client; more closes the socket with 1009. */
  frameBytes: 64 * 1024,
  /** Milliseconds a socket may stay without a valid token; then it is closed with authenticationTimeout. */
  authenticationMs: 5_000,
  /** Milliseconds before its end at which a token is warned of with token-expiring; at the end the socket is closed with tokenExpired. */
  tokenWarningMs: 60_000,
  /** Milliseconds over which a draining node asks its clients to spread their coming back, at most. */
  drainSpreadMs: 5_000,
  /** Rooms one socket may be joined to; a further join-room is refused with too_many_rooms. */
  roomsPerSocket: 1_000,
  /** Client frames of one socket that wait for their answer; at the bound the socket is no longer read until one is answered. */
  framesInFlightPerSocket: 256,
  /** Bytes waiting to be sent to one socket; more closes it with slowConsumer. */
  socketQueueBytes: 4 * 1024 * 1024,
  /** Missed events above which a client that asks for it (`reset`) gets the newest messages instead of all it missed. */
  resetAfter: 1_000,
  /** Messages of a recent-messages frame, and the default page of history. */
  pageMessages: 50,
  /** Messages of the largest page of history that can be asked for; a larger limit is refused with invalid_request. */
  pageMessagesMax: 100,
  /** Newest messages of a room that the hot cache keeps; older ones are read from PostgreSQL. */
  cachedMessages: 100,
  /** Rooms of one page of the room list. */
  pageRooms: 100,
  /** Members of one page of a room's members. */
  pageMembers: 100,
  /** Newest commands of a room whose answers are remembered at least; a commandId that is forgotten counts as new. */
  rememberedCommands: 1_000,
  /** Milliseconds for which a command is remembered at least, also when more than those came after it. */
  rememberedMs: 24 * 60 * 60 * 1_000,
  /**
   * Remembered commands of all rooms of a partition. Beyond it the room that is written forgets its oldest as long as it has more
   * than rememberedCommands, else the room written least recently forgets all of its.
   */
  rememberedCommandsPerPartition: 250_000,
  /** Events of a partition after which its state is written anew to its snapshot: what a new owner reads at most, about. */
  eventsPerSnapshot: 10_000,
  /** Commands that wait for one partition's append; one more is refused with busy. */
  commandsPerPartition: 10_000,
  /** Commands decided into one append, and bytes of its records; the rest leaves with the next append. */
  commandsPerAppend: 1_000,
  appendBytes: 512 * 1024,
  /** Times a command is decided again because another writer came first; then it is told log_unavailable. */
  decisionsPerCommand: 50,
  /** Milliseconds until a command whose append has no definite answer is told log_unavailable (its outcome is unknown). */
  commandMs: 1_800,
  /** Reads of rooms as they were that one process answers at a time; one more is refused with busy. */
  asOfReads: 4,
  /** Milliseconds a read with x-min-position waits for its projection; then it is refused with projection_behind. */
  minPositionMs: 2_000,
  /** Milliseconds a read without it waits for what was acknowledged before; then it reads what history has. */
  freshReadMs: 200,
  /** Milliseconds after which a typing mark that is not repeated expires. */
  typingMs: 6_000,
  /** Users shown as typing in a room at a time; somebody else's mark is passed over until one of them ends. */
  typingShown: 10,
  /** `typing` frames of a room in a second; one more is passed over. */
  typingPerSecond: 10,
  /**
   * Users present in a room up to whom they are told by name. Above it a room is large: it has counts alone, and is small again
   * when at most half as many are present.
   */
  presenceNames: 100,
  /** Milliseconds for which a user must be gone to be told as gone, and between two counts of a large room. */
  presenceMs: 2_000,
  /** Users of one page of those present in a room. */
  pagePresent: 100,
  /** Milliseconds a user counts as active in a room after the last sign of it. */
  activeMs: 60_000,
} as const;
