// What `npm start` says when it is up: where everything is, and examples that work as they are when pasted into a shell.

import { signToken } from '../../platform/auth.ts';

export type WelcomeFacts = {
  ports: { http: number; realtime: number; projections: number };
  /** Where the data is, in a line. */
  database: string;
  /** Of the tokens, where this process made it itself; then a token is shown, and what can be done with it. */
  secret: string | undefined;
};

const DEMO_USER = 'alice';
const TOKEN_SECONDS = 86_400;
const DEFAULT_SOCKET_PORT = 3002;

export function welcomeText({ ports, database, secret }: WelcomeFacts): string {
  const origin = `http://localhost:${ports.http}`;
  const socketUrl = `ws://localhost:${ports.realtime}`;
  const page = ports.realtime === DEFAULT_SOCKET_PORT ? `${origin}/` : `${origin}/?ws=${socketUrl}`;
  const token = secret === undefined ? null : signToken({ userId: DEMO_USER }, secret, TOKEN_SECONDS);
  return [
    '',
    `Roomlog is up, ${(process.uptime()).toFixed(1)} s after the start.`,
    '',
    `  page               ${page}`,
    `  REST API           ${origin}/api/v1`,
    `  WebSocket          ${socketUrl}   (socket.io on the same port)`,
    `  every call, frame  ${origin}/docs/rest   ${origin}/docs/socket`,
    `  health, metrics    ${origin}/ready   http://localhost:${ports.projections}/metrics`,
    `  data               ${database}`,
    '',
    ...(token === null ? withoutToken() : examples({ token, origin, socketUrl })),
    'Ctrl-C stops everything.',
    '',
  ].join('\n');
}

function withoutToken(): string[] {
  return [
    'Tokens are signed with your JWT_SECRET or key; `npm run token -- alice` makes one where it is a secret.',
    '',
  ];
}

function examples({ token, origin, socketUrl }: { token: string; origin: string; socketUrl: string }): string[] {
  const call = `curl -s -H "Authorization: Bearer $TOKEN" -H 'content-type: application/json'`;
  const chat = socketUrl === `ws://localhost:${DEFAULT_SOCKET_PORT}` ? '' : ` --url ${socketUrl}`;
  return [
    `Try it from another terminal, in this folder. A token of the demo user ${DEMO_USER}, good for a day:`,
    '',
    `export TOKEN=${token}`,
    '',
    'Create a room, say something in it, list the rooms, read the messages:',
    '',
    `ROOM=$(${call} -d '{"roomid":"lobby","name":"Plaza"}' ${origin}/api/v1/chatroom/create | sed 's/.*"chatroom":{"id":"\\([^"]*\\)".*/\\1/'); echo "$ROOM"`,
    `${call} -d "{\\"chatroomId\\":\\"$ROOM\\",\\"message\\":\\"Hello over REST\\"}" ${origin}/api/v1/messages; echo`,
    `${call} '${origin}/api/v1/chatroom/rooms?spaceId=lobby'; echo`,
    `${call} "${origin}/api/v1/messages?chatroomId=$ROOM"; echo`,
    '',
    'Chat over the WebSocket (without the echo: line by line, until Ctrl-D); tokens for others: npm run token -- bob',
    '',
    `echo 'Hello over the WebSocket' | npm run -s chat -- --room "$ROOM" --token "$TOKEN"${chat}`,
    '',
  ];
}
