// An unmodified socket.io-client whose every event is held against the AsyncAPI document: one that is not there fails the test.
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { assertServerFrame } from './documented-frames.ts';

/** A connection of its own, which does not come back by itself. */
export function openSocketIo(url: string, options: Partial<ManagerOptions & SocketOptions>): Socket {
  const socket = io(url, { reconnection: false, forceNew: true, ...options });
  // Thrown out of an event handler, it ends the test at once, whatever the test waits for.
  socket.onAny((event: string, data: unknown) => assertServerFrame(event, data));
  return socket;
}
