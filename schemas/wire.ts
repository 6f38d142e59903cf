// The frames of the WebSocket and the shapes of the JSON that both REST and WebSocket speak. The names are the integration
// guide's; what stands below a "beyond the guide" comment is ours.

/** Client → server. A frame with `ref` gets {ref, data} or {ref, error: {code, message}}. */
export const CLIENT_FRAMES = {
  auth: 'auth',
  joinRoom: 'join-room',
  leaveRoom: 'leave-room',
  sendMessage: 'send-message',
  typing: 'typing',
  stopTyping: 'stop-typing',
} as const;
export type ClientFrameName = (typeof CLIENT_FRAMES)[keyof typeof CLIENT_FRAMES];

/** Server → client. */
export const SERVER_FRAMES = {
  ready: 'ready',
  receiveMessage: 'receive-message',
  recentMessages: 'recent-messages',
  userJoined: 'user-joined',
  userLeft: 'user-left',
  typing: 'typing',
  stopTyping: 'stop-typing',
  error: 'error',
  // Beyond the guide: how far a room is, and one frame per further room event.
  heartbeat: 'heartbeat',
  roomCreated: 'room-created',
  roomDetailsChanged: 'room-details-changed',
  roomArchived: 'room-archived',
  memberInvited: 'member-invited',
  memberJoined: 'member-joined',
  memberLeft: 'member-left',
} as const;
export type ServerFrameName = (typeof SERVER_FRAMES)[keyof typeof SERVER_FRAMES];

export type ClientFrame = { event: string; data?: unknown; ref?: string | number };
export type ServerFrame = { event: ServerFrameName; data: object };
export type AnswerFrame =
  | { ref: string | number; data: object }
  | { ref: string | number; error: { code: string; message: string } };

/** A message as REST and WebSocket show it. Times are RFC 3339 in UTC. */
export type MessageView = {
  id: string;
  message: string;
  userId: string;
  username: string;
  timestamp: string;
  roomId: string;
  version: number;
  replyTo: string | null;
  /** When an imported message was first said; null for messages born here. */
  originalTime: string | null;
  /** The sender's own id of the command, so that a client knows its own message when it comes back. */
  commandId: string;
};

/** A room as the REST API shows it. */
export type RoomView = {
  id: string;
  name: string;
  description: string;
  /** The space; named roomid by the integration guide and spaceId elsewhere, both are sent. */
  roomid: string;
  spaceId: string;
  isPrivate: boolean;
  ownerId: string;
  memberCount: number;
  archived: boolean;
  createdAt: string;
  version: number;
};

export type MemberView = { userId: string; username: string; role: 'owner' | 'member'; joinedAt: string };

/** Data of every frame that shows a room event other than a message. */
export type RoomEventData = { roomId: string; version: number; userId: string; username: string; timestamp: string };
