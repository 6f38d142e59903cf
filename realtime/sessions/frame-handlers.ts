// What each client frame does. A handler gets the frame's data unparsed and answers with data or with a refusal.
import { isTokenFault } from '../../platform/auth.ts';
import type { ClientFrameAnswer } from '../../schemas/client-frames.ts';
import { isRejection, type Rejection, reject } from '../../schemas/rejections.ts';
import {
  AuthFrame,
  checkMessageText,
  JoinRoomFrame,
  LeaveRoomFrame,
  parseRequest,
  SendMessageFrame,
  TypingFrame,
} from '../../schemas/requests.ts';
import { CLIENT_FRAMES, type ClientFrameName } from '../../schemas/wire.ts';
import { acceptedToAnswer, frameToCommand } from './send-message.ts';
import type { Session, SessionDeps } from './session.ts';

type Outcome<Name extends ClientFrameName> = ClientFrameAnswer<Name> | Rejection;
export type Handler<Name extends ClientFrameName = ClientFrameName> = (
  session: Session,
  data: unknown,
  deps: SessionDeps,
) => Promise<Outcome<Name>> | Outcome<Name>;

const HANDLERS: { [Name in ClientFrameName]: Handler<Name> } = {
  [CLIENT_FRAMES.auth]: renewToken,
  [CLIENT_FRAMES.joinRoom]: joinRoom,
  [CLIENT_FRAMES.leaveRoom]: leaveRoom,
  [CLIENT_FRAMES.sendMessage]: sendMessage,
  [CLIENT_FRAMES.typing]: (session, data, deps) => typing(session, data, true, deps),
  [CLIENT_FRAMES.stopTyping]: (session, data, deps) => typing(session, data, false, deps),
};

export function handlerOf(event: string): Handler | undefined {
  return Object.hasOwn(HANDLERS, event) ? HANDLERS[event as ClientFrameName] : undefined;
}

/** A fresh token of the same user keeps the socket open beyond the old one's end. Refused ones change nothing. */
function renewToken(session: Session, data: unknown, deps: SessionDeps): Outcome<typeof CLIENT_FRAMES.auth> {
  const frame = parseRequest(AuthFrame, data);
  if (isRejection(frame)) return frame;
  const identity = deps.verifier.verify(frame.token);
  if (isTokenFault(identity)) return reject(identity.fault);
  if (identity.userId !== session.userId) return reject('token_of_another_user');
  session.renew(identity);
  return { userId: identity.userId, username: identity.username };
}

async function joinRoom(
  session: Session,
  data: unknown,
  deps: SessionDeps,
): Promise<Outcome<typeof CLIENT_FRAMES.joinRoom>> {
  const frame = parseRequest(JoinRoomFrame, data);
  if (isRejection(frame)) return frame;
  const limited = await session.limit(deps.joinLimit);
  return limited ?? session.inRoomOrder(frame.roomId, () => session.join(frame.roomId, frame.after, frame.reset));
}

async function leaveRoom(session: Session, data: unknown): Promise<Outcome<typeof CLIENT_FRAMES.leaveRoom>> {
  const frame = parseRequest(LeaveRoomFrame, data);
  if (isRejection(frame)) return frame;
  const { roomId } = frame;
  return session.inRoomOrder(roomId, async () => {
    session.leave(roomId);
    return { roomId };
  });
}

async function typing(
  session: Session,
  data: unknown,
  isTyping: boolean,
  deps: SessionDeps,
): Promise<Outcome<typeof CLIENT_FRAMES.typing>> {
  const frame = parseRequest(TypingFrame, data);
  if (isRejection(frame)) return frame;
  const limited = await session.limit(deps.typingLimit);
  if (limited) return limited;
  const { roomId } = frame;
  return session.inRoomOrder(roomId, async () => deps.hub.typing(session, roomId, isTyping) ?? { roomId });
}

async function sendMessage(
  session: Session,
  data: unknown,
  deps: SessionDeps,
): Promise<Outcome<typeof CLIENT_FRAMES.sendMessage>> {
  const frame = parseRequest(SendMessageFrame, data);
  if (isRejection(frame)) return frame;
  const fault = checkMessageText(frame.message);
  if (fault) return fault;
  const command = frameToCommand(frame, session.identity, deps);
  if (isRejection(command)) return command;
  const accepted = await session.submit(command);
  return isRejection(accepted) ? accepted : acceptedToAnswer(accepted, command.commandId);
}
