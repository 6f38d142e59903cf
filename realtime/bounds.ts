// What bounds the socket node inside. Limits that a client can meet stand in schemas/limits.ts, settings of operators in
// config.ts; these are neither: they trade memory against reads of PostgreSQL, and each says what happens at it.
export const BOUNDS = {
  /**
   * Frames, and bytes of them, that a room keeps for resuming; what is older is read from PostgreSQL. While sockets come back the
   * bytes are there twice, the second time joined, until the room's next event.
   */
  ringFrames: 512,
  ringBytes: 512 * 1024,
  /** Newest messages that a room keeps for recent-messages; more than LIMITS.pageMessages, so that the page is always full. */
  recentMessages: 100,
  /** Events that wait for a room's snapshot; one more and loading is given up with projection_behind. */
  queuedEvents: 10_000,
  /** Milliseconds a room's snapshot, or missed events, may lag behind the log; then joining is refused with projection_behind. */
  snapshotMs: 5_000,
  /** Milliseconds between two looks at something that lags behind. */
  lookAgainMs: 20,
  /** Milliseconds to wait for the tail to reach the log's head before a join is refused for a reason that may be outdated. */
  catchUpMs: 1_000,
  /** Events read from PostgreSQL at once where the log's tail misses some. */
  missedPage: 500,
  /** Missed events that are read from PostgreSQL at once, and shared by all sockets of the node. */
  blockEvents: 256,
  /** Bytes of such blocks that the node keeps; beyond it the one that was used least recently goes, and is read again if need be. */
  blockCacheBytes: 64 * 1024 * 1024,
  /** Milliseconds that a block is kept that nobody wants. */
  blockKeepMs: 60_000,
  /** Blocks that are read at a time, out of the eight connections that a node has; further ones wait their turn. */
  blockReads: 4,
  /** Blocks that wait to be read; who wants one more is refused with busy. */
  blocksWaiting: 10_000,
  /** Bytes of missed events that a socket gets in one piece, or one frame that is longer. */
  resumePieceBytes: 64 * 1024,
  /** Such pieces that are given out in one turn of the event loop; further ones wait for the next turn. */
  resumePiecesPerTurn: 16,
  /** Bytes waiting for a socket above which it gets no further piece of missed events, and none is read for it. */
  resumeQueueBytes: 256 * 1024,
  /** Milliseconds at most between two flushes of what there is to write, and bytes that end such a rest early. */
  flushRestMs: 5,
  flushBytes: 1024 * 1024,
  /** Milliseconds of a flush after which what has come in meanwhile is looked at. */
  flushPortionMs: 2,
  /** Bytes waiting for all sockets that do not take them at once; beyond it those with most are closed with slowConsumer. */
  nodeQueueBytes: 1024 * 1024 * 1024,
  /** Milliseconds a resuming socket may stay above that; then it is closed with slowConsumer. */
  resumeStallMs: 20_000,
  /** Milliseconds that a room without sockets is kept, so that a reload of a page costs no read. */
  emptyRoomMs: 30_000,
  /** Frames of one socket that were read but are not yet begun; one more is refused with busy (only where reading cannot pause). */
  waitingFrames: 10_000,
  /** Frames that are not understood, in badFrameWindowMs, after which the socket is closed with tooManyBadFrames. */
  badFrames: 20,
  badFrameWindowMs: 10_000,
  /** Fragments of one message, so also those without a byte; one more closes the socket with tooManyPieces (each costs about 300 bytes). */
  fragmentsPerMessage: 1_024,
  /** Pieces in which the network brings one frame; one more closes the socket with tooManyPieces. */
  chunksPerFrame: 4_096,
  /** Pings and pongs of a socket between two of the node's own pings; one more closes it with tooManyControlFrames. */
  controlFrames: 250,
  /** TCP connections of the sockets' port beside two for each socket (who polls needs two); one more is ended as soon as it comes. */
  plainConnections: 1_000,
  /** Sockets that have no token yet; a further upgrade without one is answered with 503. */
  unauthenticatedSockets: 2_000,
  /** Milliseconds between pings; a socket that stays silent for two of them is dropped. */
  pingEveryMs: 25_000,
  /** Heartbeats of rooms that are given out in one turn of the event loop, or those of one socket; the rest waits for the next. */
  heartbeatsPerTurn: 2_000,
  /** Seconds between two looks at the head of a partition that is followed. */
  headEverySeconds: 10,
  /** Milliseconds after which such a look says nothing any more: then the partition's rooms have no heartbeats. */
  headKnownMs: 30_000,
  /** Milliseconds that a closed socket has to answer the close frame before it is cut. */
  closeGraceMs: 5_000,
  /**
   * Milliseconds without traffic after which TCP asks a stream of events for a sign of life, ten times once a second; then it is
   * cut. All of it must fit between two pings: while written bytes are not acknowledged the kernel does not ask.
   */
  streamKeepAliveMs: 10_000,
  /** Milliseconds that a stream of events tells its client to wait before it comes back: at least, and the random while above that. */
  streamRetryMs: 500,
  streamRetrySpreadMs: 1_500,
  /** Sockets that a draining node closes at once, at least, and milliseconds until the next portion. */
  drainPortion: 100,
  drainEveryMs: 50,
  /** Milliseconds that a draining node waits for answers under way; then their sockets are closed without them. */
  drainAnswersMs: 2_000,
  /** Milliseconds that the last sockets of a draining node have to answer the close frame before they are cut. */
  goodbyeMs: 1_000,
  /** Milliseconds that a presence entry lasts in the shared set, and between two renewals of it. */
  presenceMs: 90_000,
  presenceRenewMs: 30_000,
  /** Users in one write to the shared set and in one signal to other nodes; what is more leaves with the next ones. */
  presenceBatch: 200,
  /** Rooms whose presence is renewed at a time. */
  renewedAtOnce: 50,
  /** Rounds of renewal over all rooms, one every other tick, when the shared sets were lost or could not be reached. */
  hurriedRounds: 3,
  /**
   * Milliseconds from one sign of life of a node to the next, met at every second tick; and without one until its users count as
   * gone, which is found with the next sign after: within 10 s.
   */
  nodeSignMs: 1_500,
  nodeSilentMs: 6_000,
} as const;
