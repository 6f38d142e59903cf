// What a client wishes, before it is decided over which way it goes.

export type Wish =
  | { type: 'SendMessage'; roomId: string; text: string }
  | { type: 'CreateRoom'; roomId: ''; spaceId: string; name: string; isPrivate: boolean }
  | { type: 'JoinRoom' | 'LeaveRoom' | 'ArchiveRoom'; roomId: string }
  | { type: 'InviteMember'; roomId: string; userId: string }
  | { type: 'ChangeRoomDetails'; roomId: string; name: string };

/** The REST request of a wish, as the integration guide has it. */
export function wishToRequest(wish: Wish, commandId: string): { path: string; body: object } {
  const room = { chatroomId: wish.roomId, commandId };
  switch (wish.type) {
    case 'SendMessage':
      return { path: '/api/v1/messages', body: { ...room, message: wish.text } };
    case 'CreateRoom': {
      const { name, isPrivate, spaceId } = wish;
      return { path: '/api/v1/chatroom/create', body: { roomid: spaceId, name, isPrivate, commandId } };
    }
    case 'JoinRoom':
      return { path: '/api/v1/chatroom/join', body: room };
    case 'LeaveRoom':
      return { path: '/api/v1/chatroom/leave', body: room };
    case 'ArchiveRoom':
      return { path: '/api/v1/chatroom/archive', body: room };
    case 'InviteMember':
      return { path: '/api/v1/chatroom/invite', body: { ...room, userId: wish.userId } };
    case 'ChangeRoomDetails':
      return { path: '/api/v1/chatroom/update', body: { ...room, name: wish.name } };
    default:
      return wish satisfies never;
  }
}
